/**
 * Usage that the registry has not acknowledged, on disk: the process may be killed at any moment, and
 * its successor sends what it finds. A batch that was counted already counts no second time.
 */
import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { isMissing, writeFileAtomically } from "../base/atomic-file.ts";
import { usageBatchSchema } from "../keys/wire.ts";

/** Above what a reporter ever holds. */
const BYTES_MAX = 256 * 1024 * 1024;

export class UsageSpool {
  readonly #path: string;
  #isEmpty = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns whole batches, as they were written; others are lost */
  async load(): Promise<string[]> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    this.#isEmpty = text === "";
    if (text.length > BYTES_MAX) return [];
    return text.split("\n").flatMap((line) => bodyOf(line) ?? []);
  }

  /** Replaces what the file holds. */
  async save(bodies: readonly string[]): Promise<void> {
    if (bodies.length === 0 && this.#isEmpty) return;
    await writeFileAtomically(this.#path, bodies.map((body) => `${checksum(body)} ${body}\n`).join(""));
    this.#isEmpty = bodies.length === 0;
  }
}

function bodyOf(line: string): string | undefined {
  const body = line.slice(9);
  if (body === "" || line.slice(0, 8) !== checksum(body)) return undefined;
  try {
    return usageBatchSchema.safeParse(JSON.parse(body)).success ? body : undefined;
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
