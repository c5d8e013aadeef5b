/**
 * The last good snapshot on disk: digests only, mode 0600, replaced whole and durably, with every
 * change noted behind it as soon as it is applied, so that a gate that restarts while the registry
 * is down does not let in again whom it had already refused.
 */
import { randomUUID } from "node:crypto";
import { constants, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { followLinks, isMissing, syncFolder } from "../base/atomic-file.ts";
import type { Clock } from "../base/clock.ts";
import { type Digest, formatDigest } from "./digest.ts";
import { RegistryFault } from "./registry-fault.ts";
import type { ChangeEvent, KeyTable } from "./registry-table.ts";
import { type JournalEntry, formatEntry } from "./snapshot-journal.ts";
import { SnapshotFileError, loadSnapshot } from "./snapshot-load.ts";
import { writeSnapshot } from "./snapshot-write.ts";

export interface SnapshotFileOptions {
  readonly path: string;
  /** Of other gates of this machine: any of them may be the one to start from. */
  readonly otherPaths: readonly string[];
  readonly table: KeyTable;
  readonly clock: Clock;
  readonly onFault: (message: string, error?: unknown) => void;
}

/** How often it is noted that nothing has changed. */
const CONFIRM_EVERY_MS = 15_000;
/** Writing takes at most this share of the time. */
const REST_FACTOR = 10;
const RETRY_MS = 30_000;
/** More lines than this behind the snapshot, and more than it has itself, are written into it. */
const JOURNAL_MIN = 20_000;
/** A clock that was set back a little makes nobody wait. */
const FUTURE_MAX_MS = 60_000;

export class SnapshotFile {
  readonly #options: SnapshotFileOptions;
  /** Appends and the last step of a rewrite, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #unwritten: string[] = [];
  /** While a new file is being written: what it must have as well. */
  #alsoForNew: string[] | undefined;
  /** The file is a snapshot and all changes since; only then may it be confirmed. */
  #isContinuous = false;
  /** Counts what no single entry tells. */
  #replacements = 0;
  #journalLines = 0;
  /** Wall clock: when the table was last what the registry had. */
  #currentAtMs: number | undefined;
  #confirmedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #restUntilMs = 0;
  #rewriting: Promise<void> | undefined;
  #isLoading = false;
  #isClosed = false;

  constructor(options: SnapshotFileOptions) {
    this.#options = options;
  }

  /** @returns how old what the table holds now is, in milliseconds; undefined when nothing was loaded */
  async load(): Promise<number | undefined> {
    const { path, otherPaths } = this.#options;
    this.#isLoading = true;
    try {
      // The one that was written to last; whether it may be used is not decided by that.
      for (const candidate of await newestFirst([path, ...otherPaths])) {
        const ageMs = await this.#loadOne(candidate);
        if (ageMs === undefined) continue;
        this.#isContinuous = candidate === path;
        return ageMs;
      }
      return undefined;
    } finally {
      this.#isLoading = false;
    }
  }

  async #loadOne(path: string): Promise<number | undefined> {
    const { table, clock, onFault } = this.#options;
    try {
      const ageMs = clock.now() - (await loadSnapshot(path, table));
      if (ageMs >= -FUTURE_MAX_MS) return Math.max(0, ageMs);
      onFault("the snapshot file is of the future: a clock was set back");
      return Infinity;
    } catch (error) {
      if (isMissing(error)) return undefined;
      const isUnusable = error instanceof SnapshotFileError || error instanceof RegistryFault;
      if (isUnusable) onFault(`the snapshot file cannot be used: ${error.message}`);
      else onFault("the snapshot file cannot be read", error);
      return undefined;
    }
  }

  /** The table was replaced, or changed in a way that no single entry tells. */
  replaced(): void {
    if (this.#isLoading) return;
    this.#replacements++;
    this.#isContinuous = false;
    this.#rewriteSoon();
  }

  applied(rev: number, event: ChangeEvent, data: unknown): void {
    this.#append({ kind: "change", rev, event, data });
    const held = this.#options.table.keys?.size ?? 0;
    if (this.#journalLines > Math.max(JOURNAL_MIN, held)) this.#rewriteSoon();
  }

  ended(digest: Digest): void {
    this.#append({ kind: "ended", digest: formatDigest(digest) });
  }

  /** The table is what the registry has, as of now. */
  confirmed(): void {
    const { clock } = this.#options;
    this.#currentAtMs = clock.now();
    if (!this.#isContinuous) this.#rewriteSoon();
    if (!this.#isContinuous || clock.monotonic() - this.#confirmedMs < CONFIRM_EVERY_MS) return;
    this.#confirmedMs = clock.monotonic();
    this.#append({ kind: "confirmed", at: isoOf(this.#currentAtMs) });
  }

  /** Waits for what is being written; changes that were noted are on disk then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#rewriting;
    await this.#queue;
  }

  #append(entry: JournalEntry): void {
    if (this.#isLoading || this.#options.table.keys === undefined) return;
    const line = formatEntry(entry);
    this.#journalLines++;
    this.#alsoForNew?.push(line);
    // One write for all that come before it begins.
    if (this.#unwritten.push(line) === 1) void this.#inTurn(() => this.#flush());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    const text = this.#unwritten.splice(0).join("");
    try {
      // Not created: entries without their snapshot are of no use.
      await using file = await open(this.#options.path, constants.O_WRONLY | constants.O_APPEND);
      await file.appendFile(text);
      await file.datasync();
    } catch (error) {
      // The first snapshot is not written yet, and will have these entries.
      if (isMissing(error) && !this.#isContinuous) return;
      this.#isContinuous = false;
      this.#options.onFault("the snapshot file cannot be written", error);
      this.#rewriteSoon(RETRY_MS);
    }
  }

  #rewriteSoon(delayMs = 0): void {
    if (this.#isClosed || this.#timer !== undefined || this.#rewriting !== undefined) return;
    const restMs = this.#restUntilMs - this.#options.clock.monotonic();
    const rewrite = (): void => {
      this.#timer = undefined;
      this.#rewriting = this.#rewrite();
    };
    this.#timer = setTimeout(rewrite, Math.max(0, delayMs, restMs)).unref();
  }

  /** Never rejects. */
  async #rewrite(): Promise<void> {
    const { clock, onFault } = this.#options;
    const startedMs = clock.monotonic();
    this.#alsoForNew = [];
    let againMs: number | undefined;
    try {
      if (!(await this.#replaceFile())) againMs = 0;
    } catch (error) {
      onFault("the snapshot file cannot be written", error);
      againMs = RETRY_MS;
    }
    this.#alsoForNew = undefined;
    this.#rewriting = undefined;
    this.#restUntilMs = clock.monotonic() + (clock.monotonic() - startedMs) * REST_FACTOR;
    if (againMs !== undefined) this.#rewriteSoon(againMs);
  }

  /** @returns false when the table was replaced meanwhile: what was written is of neither */
  async #replaceFile(): Promise<boolean> {
    const { keys, cursor } = this.#options.table;
    if (keys === undefined || cursor === undefined) return true;
    const replacements = this.#replacements;
    const path = await followLinks(this.#options.path);
    const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
    const file = await open(temporary, "wx", 0o600);
    let isDone = false;
    try {
      await writeSnapshot(file, keys, cursor, () => this.#isClosed || this.#replacements !== replacements);
      await this.#inTurn(async () => {
        if (this.#isClosed || this.#replacements !== replacements) return;
        const lines = this.#alsoForNew ?? [];
        const at = this.#currentAtMs;
        const confirmation = at === undefined ? "" : formatEntry({ kind: "confirmed", at: isoOf(at) });
        await file.appendFile(lines.join("") + confirmation);
        await file.sync();
        await rename(temporary, path);
        await syncFolder(dirname(path));
        isDone = true;
        this.#isContinuous = true;
        this.#journalLines = lines.length;
      });
      return isDone;
    } finally {
      await file.close();
      if (!isDone) await unlink(temporary).catch(() => undefined);
    }
  }
}

async function newestFirst(paths: readonly string[]): Promise<string[]> {
  const dated = await Promise.all(
    paths.map(async (path) => ({ path, mtimeMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  return dated.toSorted((a, b) => b.mtimeMs - a.mtimeMs).map(({ path }) => path);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
