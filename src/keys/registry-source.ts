/**
 * Keys from a registry: held whole and kept current, or looked up one by one. It answers from what
 * it holds; when the registry is away it says so instead of "unknown", and what it holds serves on
 * until it is too old. It knows nothing of requests.
 */
import type { Clock } from "../base/clock.ts";
import { REFUSED } from "./compact-keys.ts";
import type { Digest } from "./digest.ts";
import { statusOf } from "./life-cycle.ts";
import { LookupBatcher } from "./lookup-batcher.ts";
import type { KeyRecord } from "./record.ts";
import type { RegistryClient } from "./registry-client.ts";
import { KeyFetcher, type RegistryMode } from "./registry-fetch.ts";
import { type FollowMethod, RegistryFollower } from "./registry-follower.ts";
import { RegistryLink } from "./registry-link.ts";
import { RegistryNotices, type Report } from "./registry-notices.ts";
import { type Distrust, KeyTable } from "./registry-table.ts";
import { SnapshotFile } from "./snapshot-file.ts";
import type { KeyChange, KeySource, Resolution, Unavailable } from "./source.ts";
import type { Cursor } from "./wire.ts";

export interface RegistrySourceOptions {
  readonly client: RegistryClient;
  readonly clock: Clock;
  readonly mode: RegistryMode;
  /** For `auto`: more keys than this are looked up instead of held. */
  readonly keysMax: number;
  /** How long keys serve on after the last contact. */
  readonly maxStaleMs: number;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly removalHoldMs: number;
  /** The first is written; a start may be from any of them. */
  readonly snapshotFiles: readonly string[];
  readonly report: Report;
  readonly random?: () => number;
}

const AGE_CHECK_MS = 250;
/** A record that is not understood will not be a second later. */
const REFUSED_RETRY_SECONDS = 30;

export class RegistryKeySource implements KeySource {
  readonly #options: RegistrySourceOptions;
  readonly #listeners = new Set<(change: KeyChange) => void>();
  readonly #table: KeyTable;
  readonly #fetcher: KeyFetcher;
  readonly #link: RegistryLink;
  readonly #follower: RegistryFollower;
  readonly #lookups: LookupBatcher;
  readonly #file: SnapshotFile | undefined;
  readonly #notices: RegistryNotices;
  #ages: NodeJS.Timeout | undefined;
  readonly #ready = Promise.withResolvers<void>();
  #isReady = false;
  #isTooOld = false;

  constructor(options: RegistrySourceOptions) {
    const { client, clock, mode, keysMax } = options;
    this.#options = options;
    this.#link = new RegistryLink(clock);
    const notices = new RegistryNotices(clock, options.report);
    this.#notices = notices;
    const listener = {
      changed: (change: KeyChange) => this.#changed(change),
      replaced: () => this.#file?.replaced(),
      applied: (cursor: Cursor, event: "upsert" | "revoke", data: unknown) =>
        this.#file?.applied(cursor.rev, event, data),
      ended: (digest: Digest) => this.#file?.ended(digest),
      distrusted: (what: Distrust, note: string) => notices.distrust(what, note),
    };
    const table = new KeyTable({ clock, listener, removalHoldMs: options.removalHoldMs });
    this.#table = table;
    const onRefused = (note: string): void => notices.distrust("record_refused", note);
    this.#fetcher = new KeyFetcher({ client, table, mode, keysMax, onRefused });
    const random = options.random === undefined ? {} : { random: options.random };
    this.#lookups = new LookupBatcher({
      client,
      clock,
      isOutdated: (digest, cursor) => table.isOutdated(digest, cursor),
      ...random,
    });
    this.#follower = new RegistryFollower({
      client,
      table,
      clock,
      ...random,
      fetcher: this.#fetcher,
      link: this.#link,
      heartbeatMs: options.heartbeatMs,
      pollMs: options.pollMs,
      removalHoldMs: options.removalHoldMs,
      onCurrent: () => this.#current(),
      onFault: (fault, retryInMs) => notices.failed(fault, retryInMs),
    });
    const [path, ...otherPaths] = options.snapshotFiles;
    const onFault = (message: string, error?: unknown): void => notices.trouble(message, error);
    this.#file =
      path === undefined ? undefined : new SnapshotFile({ path, otherPaths, table, clock, onFault });
  }

  /** Resolves when the first attempt to reach the registry has succeeded or failed. */
  async start(): Promise<void> {
    // Where keys are looked up nothing is written, and what an earlier config left there is not followed.
    const ageMs = this.#options.mode === "lookup" ? undefined : await this.#file?.load();
    if (ageMs !== undefined) {
      this.#link.confirmedBefore(ageMs);
      if (ageMs <= this.#options.maxStaleMs) this.#becomeReady();
      const fields = { keys: this.size, age_seconds: Math.round(ageMs / 1000) };
      this.#options.report("info", "loaded the last snapshot from disk", fields);
    }
    this.#ages = setInterval(() => this.checkAge(), AGE_CHECK_MS).unref();
    this.#follower.start();
    await this.#follower.settled;
  }

  async close(): Promise<void> {
    clearInterval(this.#ages);
    await this.#follower.stop();
    this.#lookups.close();
    await this.#file?.close();
    await this.#options.client.close();
  }

  find(digest: Digest): Resolution | Promise<Resolution> {
    const found = this.#table.find(digest);
    if (found === "ended") return UNKNOWN;
    if (this.#table.keys === undefined) {
      if (this.#fetcher.isLookup) return this.#lookups.find(digest);
      return this.#unavailable("no keys are loaded yet");
    }
    if (found === undefined)
      return this.#link.isUp ? UNKNOWN : this.#unavailable("the key is not known here");
    if (found === REFUSED) {
      const note = "the key's record is not understood";
      return { kind: "unavailable", retryAfterSeconds: REFUSED_RETRY_SECONDS, note };
    }
    if (this.#isFreshEnough || this.#isDead(found)) return { kind: "found", record: found };
    return this.#unavailable("what is known of the key is too old");
  }

  get size(): number {
    return this.#table.keys?.size ?? 0;
  }

  onChange(listener: (change: KeyChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The records that are held; none when keys are looked up. */
  records(): Iterable<KeyRecord> {
    return this.#table.keys?.records() ?? [];
  }

  // --- what others report and expose

  /** Has it been able to tell keys apart at least once? Stays so: what else the gate does goes on. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Resolves when it is. */
  get whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  get isUp(): boolean {
    return this.#link.isUp;
  }

  /** What is held is what the registry had that long ago; Infinity before the first contact. */
  get stalenessMs(): number {
    return this.#link.stalenessMs;
  }

  /** Wall clock. */
  get contactAtMs(): number | undefined {
    return this.#link.contactAtMs;
  }

  get cursor(): Cursor | undefined {
    return this.#table.cursor;
  }

  get isLookup(): boolean {
    return this.#fetcher.isLookup;
  }

  get method(): FollowMethod {
    return this.#follower.method;
  }

  /** What was not believed so far, by kind. */
  get distrusted(): Readonly<Record<Distrust, number>> {
    return this.#notices.distrusted;
  }

  /** Keys that a snapshot lacks and that serve on until that is confirmed. */
  get heldRemovals(): number {
    return this.#table.held?.keys ?? 0;
  }

  /** Drops every cached key once what is held is too old; called by a timer. */
  checkAge(): void {
    const isTooOld = this.#table.keys !== undefined && !this.#isFreshEnough;
    if (isTooOld === this.#isTooOld) return;
    this.#isTooOld = isTooOld;
    if (!isTooOld) return;
    this.#options.report("error", "the keys are too old to be used: every request gets 503", {
      staleness_seconds: Math.round(this.stalenessMs / 1000),
    });
    this.#changed({ kind: "reset" });
  }

  get #isFreshEnough(): boolean {
    return this.#link.isUp || this.#link.stalenessMs <= this.#options.maxStaleMs;
  }

  /** Of a key that ended, that is the whole truth, however old. */
  #isDead(record: KeyRecord): boolean {
    const status = statusOf(record, this.#options.clock.now());
    return status === "revoked" || status === "expired";
  }

  #unavailable(note: string): Unavailable {
    const { retryAfterSeconds } = this.#link;
    return { kind: "unavailable", retryAfterSeconds, note: `${note}; ${this.#link.note}` };
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#ready.resolve();
  }

  #changed(change: KeyChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #current(): void {
    this.#file?.confirmed();
    this.#becomeReady();
    this.#isTooOld = false;
    this.#notices.reached(() => ({
      mode: this.isLookup ? "lookup" : "sync",
      method: this.method,
      keys: this.size,
      rev: this.#table.cursor?.rev ?? 0,
    }));
  }
}

const UNKNOWN: Resolution = { kind: "unknown" };
