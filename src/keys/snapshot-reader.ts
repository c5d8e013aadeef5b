/**
 * Reads `GET keys`, a snapshot or a delta, as it arrives: bounded lines, records checked one by
 * one, and at the end the proof that nothing is missing. Until that proof the reader's word counts
 * for nothing; whoever takes the records must keep them apart until `readSnapshot` resolves.
 */
import { createHash } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import type { z } from "zod";
import { LineSplitter, LineTooLongError } from "../base/line-splitter.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { checkRecord } from "./record-check.ts";
import type { KeyRecord } from "./record.ts";
import { RegistryFault, faultOfError } from "./registry-fault.ts";
import { snapshotEndSchema, snapshotHeadSchema } from "./wire.ts";

export type SnapshotHead = z.output<typeof snapshotHeadSchema>;

export interface SnapshotSink {
  /** @returns whether the rest is wanted */
  readHead(head: SnapshotHead): boolean;
  record(digest: Digest, record: KeyRecord): void;
  /** Only in a delta. */
  removed(digest: Digest): void;
  /** A record that is not understood; its digest where that could be read. */
  refused(digest: Digest | undefined, note: string): void;
}

/** Above the longest record there can be: 256 scopes and 64 folders of 128 characters. */
const LINE_BYTES_MAX = 128 * 1024;
/** So many bad records are refused one by one; beyond, and beyond 1 %, the whole snapshot is. */
const REFUSED_MAX = 10;
const REFUSED_SHARE_MAX = 0.01;

/**
 * @returns the head, once everything is read and proven; undefined when the sink wanted no more
 * @throws RegistryFault when it is cut short, altered or not a snapshot
 */
export async function readSnapshot(
  body: AsyncIterable<Buffer>,
  sink: SnapshotSink,
): Promise<SnapshotHead | undefined> {
  const reader = new SnapshotReader(sink);
  const lines = new LineSplitter(LINE_BYTES_MAX);
  try {
    for await (const chunk of body) {
      for (const line of lines.push(chunk)) {
        if (!reader.read(line)) return undefined;
      }
      // What has arrived may be long, and requests must not wait for all of it.
      await breathe();
    }
    const last = lines.end();
    if (last.length > 0 && !reader.read(last)) return undefined;
  } catch (error) {
    if (error instanceof LineTooLongError) throw garbage(error.message);
    throw faultOfError(error);
  }
  return reader.finish();
}

/** The same, a line at a time; for a source that goes on after the last line. */
export class SnapshotReader {
  readonly #sink: SnapshotSink;
  readonly #hash = createHash("sha256");
  #head: SnapshotHead | undefined;
  isEnded = false;
  #lines = 0;
  #refused = 0;

  constructor(sink: SnapshotSink) {
    this.#sink = sink;
  }

  /** @returns whether the rest is wanted */
  read(line: Buffer): boolean {
    const value = parseLine(line);
    if (this.isEnded) throw garbage("something follows the end of the snapshot");
    if (this.#head === undefined) return this.#readHead(value);
    if (kindOf(value) === "end") {
      this.#readEnd(value, this.#head);
      return true;
    }
    this.#hash.update(line);
    this.#lines++;
    if (this.#lines > this.#head.count) throw garbage("the snapshot has more lines than it says");
    this.#readRecord(value, this.#head);
    return true;
  }

  finish(): SnapshotHead {
    if (this.#head === undefined || !this.isEnded) throw garbage("the snapshot is cut short");
    const isTooBad = this.#refused > REFUSED_MAX && this.#refused > this.#lines * REFUSED_SHARE_MAX;
    if (isTooBad || (this.#refused > 0 && this.#refused === this.#lines)) {
      throw garbage(`${this.#refused} of ${this.#lines} records of the snapshot are not understood`);
    }
    return this.#head;
  }

  #readHead(value: unknown): boolean {
    const parsed = snapshotHeadSchema.safeParse(value);
    if (!parsed.success) throw garbage("the snapshot has no valid first line");
    this.#head = parsed.data;
    return this.#sink.readHead(parsed.data);
  }

  #readEnd(value: unknown, head: SnapshotHead): void {
    const parsed = snapshotEndSchema.safeParse(value);
    if (!parsed.success) throw garbage("the snapshot has no valid last line");
    const { rev, count, sha256 } = parsed.data;
    if (rev !== head.rev || count !== head.count || count !== this.#lines) {
      throw garbage("the snapshot's first and last line and its records do not agree");
    }
    if (sha256 !== this.#hash.digest("hex")) throw garbage("the snapshot does not have its checksum");
    this.isEnded = true;
  }

  #readRecord(value: unknown, head: SnapshotHead): void {
    if (kindOf(value) === "removed" && head.kind === "delta") {
      const digest = digestOfLine(value);
      if (digest === undefined) throw garbage("a removal in the snapshot names no digest");
      this.#sink.removed(digest);
      return;
    }
    const checked = checkRecord(value);
    if (checked.ok) {
      this.#sink.record(checked.digest, checked.record);
      return;
    }
    this.#refused++;
    this.#sink.refused(checked.digest, checked.note);
  }
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8")) as unknown;
  } catch {
    throw garbage("the snapshot holds a line that is not JSON");
  }
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}

function digestOfLine(value: unknown): Digest | undefined {
  if (typeof value !== "object" || value === null || !("digest" in value)) return undefined;
  return typeof value.digest === "string" ? parseDigest(value.digest) : undefined;
}

function garbage(note: string): RegistryFault {
  return new RegistryFault("garbage", note);
}
