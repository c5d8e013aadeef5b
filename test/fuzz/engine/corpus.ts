/** The inputs that once failed, as files: each is an ordinary test from the day it was found. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kindOf, type Finding } from "./campaign.ts";
import type { Input } from "./fuzzer.ts";

export interface CorpusEntry {
  /** File name without its ending. */
  readonly name: string;
  /** What was wrong when it was found. */
  readonly reason: string;
  readonly input: Input;
}

const root = join(import.meta.dirname, "../corpus");

/** All entries of a fuzzer, by name. */
export function readCorpus(fuzzer: string): readonly CorpusEntry[] {
  const folder = join(root, fuzzer);
  return namesIn(folder).map((file) => {
    const entry = JSON.parse(readFileSync(join(folder, file), "utf8")) as Omit<CorpusEntry, "name">;
    return { ...entry, name: file.replace(/\.json$/, "") };
  });
}

/** @returns the new file's path */
export function saveFinding(fuzzer: string, { reason, input }: Finding): string {
  const folder = join(root, fuzzer);
  mkdirSync(folder, { recursive: true });
  const digest = createHash("sha256").update(JSON.stringify(input)).digest("hex").slice(0, 8);
  const slug = kindOf(reason)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40);
  const file = join(folder, `${slug}-${digest}.json`);
  writeFileSync(file, `${JSON.stringify({ reason, input }, undefined, 2)}\n`);
  return file;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .toSorted();
  } catch {
    return [];
  }
}
