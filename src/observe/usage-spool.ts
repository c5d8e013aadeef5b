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

  /** Replaces what the file holds. Takes one body after the other: all at once would hold up requests. */
  async save(bodies: Iterable<string>): Promise<void> {
    const lines = linesOf(bodies);
    const first = lines.next();
    const isEmpty = first.done === true;
    if (isEmpty && this.#isEmpty) return;
    await writeFileAtomically(this.#path, isEmpty ? "" : chained(first.value, lines));
    this.#isEmpty = isEmpty;
  }
}

function* linesOf(bodies: Iterable<string>): Generator<string, undefined> {
  for (const body of bodies) yield `${checksum(body)} ${body}\n`;
}

function* chained(first: string, others: Iterable<string>): Generator<string> {
  yield first;
  yield* others;
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
