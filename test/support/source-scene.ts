/** A registry source in front of a fake registry, over real sockets, with short times. */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Digest, digestOf, parseDigest } from "../../src/keys/digest.ts";
import type { KeyRecord } from "../../src/keys/record.ts";
import { RegistryClient } from "../../src/keys/registry-client.ts";
import { RegistryKeySource, type RegistrySourceOptions } from "../../src/keys/registry-source.ts";
import type { KeyChange, Resolution } from "../../src/keys/source.ts";
import { FakeRegistry, type FakeRegistryOptions } from "./fake-registry.ts";
import { keyRecord } from "./key-records.ts";
import { assertNoSecretIn, noteSecret } from "./known-secrets.ts";
import { waitFor } from "./wait-for.ts";

/** Silence of a second is seen, and a busy machine is not taken for it. */
export const HEARTBEAT_MS = 400;

/** Record number `index`; its secret is `secretAt(index)`. */
export function recordAt(index: number, more: Partial<KeyRecord> = {}): KeyRecord {
  noteSecret(secretAt(index), `key_${index}`);
  return keyRecord(secretAt(index), { id: `key_${index}`, ...more });
}

export function secretAt(index: number): string {
  return `mem_live_secret_number_${index}`;
}

export function digestAt(index: number): Digest {
  return digestOf(secretAt(index));
}

export function recordsUpTo(count: number): KeyRecord[] {
  return Array.from({ length: count }, (_, index) => recordAt(index));
}

/** The real clock, moved. */
export class MovedClock implements Clock {
  wallMs = 0;
  monotonicMs = 0;
  now = (): number => systemClock.now() + this.wallMs;
  monotonic = (): number => systemClock.monotonic() + this.monotonicMs;
}

export interface SourceSceneOptions {
  readonly registry?: FakeRegistryOptions;
  readonly source?: Partial<Omit<RegistrySourceOptions, "client" | "clock" | "report">>;
  /** Do not start the source. */
  readonly isIdle?: true;
  readonly token?: string;
  readonly prepare?: (registry: FakeRegistry) => void | Promise<void>;
}

export interface Reported {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export class SourceScene implements AsyncDisposable {
  readonly clock = new MovedClock();
  readonly changes: KeyChange[] = [];
  readonly reported: Reported[] = [];
  readonly registry: FakeRegistry;
  readonly options: SourceSceneOptions;
  source: RegistryKeySource;

  private constructor(registry: FakeRegistry, options: SourceSceneOptions) {
    this.registry = registry;
    this.options = options;
    this.source = this.#makeSource();
  }

  static async make(options: SourceSceneOptions = {}): Promise<SourceScene> {
    const registry = await FakeRegistry.start({ heartbeatMs: HEARTBEAT_MS / 8, ...options.registry });
    await options.prepare?.(registry);
    const scene = new SourceScene(registry, options);
    if (options.isIdle !== true) await scene.source.start();
    return scene;
  }

  /** As when the gate's process ends and another begins. */
  async restart(): Promise<void> {
    await this.source.close();
    this.source = this.#makeSource();
    await this.source.start();
  }

  #makeSource(): RegistryKeySource {
    const client = new RegistryClient({
      url: this.registry.url,
      token: this.options.token ?? this.registry.token,
      tls: undefined,
      connectTimeoutMs: 2000,
      requestTimeoutMs: 5000,
      lookupTimeoutMs: 5000,
      clock: this.clock,
    });
    const source = new RegistryKeySource({
      client,
      clock: this.clock,
      mode: "sync",
      keysMax: 1000,
      maxStaleMs: 60_000,
      heartbeatMs: HEARTBEAT_MS,
      pollMs: HEARTBEAT_MS / 4,
      removalHoldMs: 60_000,
      snapshotFiles: [],
      report: (level, message, fields = {}) => void this.reported.push({ level, message, fields }),
      ...this.options.source,
    });
    source.onChange((change) => this.changes.push(change));
    return source;
  }

  /** `active`, `revoked`, `unknown` or `unavailable`. */
  async state(key: number | string): Promise<string> {
    const found = await this.find(key);
    if (found.kind !== "found") return found.kind;
    return found.record.revoked_at === undefined ? "active" : "revoked";
  }

  async find(key: number | string): Promise<Resolution> {
    const digest = typeof key === "number" ? digestAt(key) : parseDigest(key);
    if (digest === undefined) throw new Error("not a digest");
    return await this.source.find(digest);
  }

  async until(key: number | string, state: string, deadlineMs = 5000): Promise<void> {
    await waitFor(`key ${key} to be ${state}`, async () => (await this.state(key)) === state, { deadlineMs });
  }

  async up(deadlineMs = 5000): Promise<void> {
    await waitFor("the link to be up", () => this.source.isUp, { deadlineMs });
  }

  async isDown(deadlineMs = 5000): Promise<void> {
    await waitFor("the link to be down", () => !this.source.isUp, { deadlineMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
    await this.registry[Symbol.asyncDispose]();
    assertNoSecretIn(JSON.stringify(this.reported), "what the source reported");
  }
}
