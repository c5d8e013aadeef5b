/**
 * Keys from a registry, with all that a gate does for it: follow, report what is applied, report
 * what keys use. Made from the config; the parts know nothing of it.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../base/clock.ts";
import type { GateConfig } from "../config/schema.ts";
import { CallerClient } from "../keys/caller-client.ts";
import { RegistryClient, type RegistryClientOptions } from "../keys/registry-client.ts";
import type { RegistryAccess } from "../keys/registry-pool.ts";
import { RegistryKeySource } from "../keys/registry-source.ts";
import { StatusReporter } from "../keys/registry-status.ts";
import type { RegistryReading } from "../observe/gate-readings.ts";
import type { ReadinessCheck } from "../observe/ops-server.ts";
import { UsageReporter } from "../observe/usage-reporter.ts";
import { UsageSpool } from "../observe/usage-spool.ts";
import type { KeyOrigin, OriginParts } from "./key-origin.ts";
import type { LoadedGate } from "./load-gate.ts";
import { version } from "./version.ts";

type RegistryConfig = NonNullable<GateConfig["keys"]["registry"]>;

/** For usage that was not sent yet, when the gate stops. */
const LAST_USAGE_MS = 3000;
const SLOTS_MAX = 64;
/** After this the gate goes on without keys, and answers 503 until they are there. */
const FIRST_KEYS_MS = 60_000;

export class RegistryOrigin implements KeyOrigin {
  readonly source: RegistryKeySource;
  readonly observers: readonly [UsageReporter];
  readonly ready: Promise<void>;
  readonly callerDesk: CallerClient;
  readonly #client: RegistryClient;
  readonly #status: StatusReporter;
  readonly #config: RegistryConfig;
  readonly #cache: GateConfig["cache"];
  #closing: Promise<void> | undefined;

  constructor(config: RegistryConfig, cache: GateConfig["cache"], parts: OriginParts) {
    const { clock, log, slot } = parts;
    this.#config = config;
    this.#cache = cache;
    const client = new RegistryClient(clientOptions(config, clock));
    this.#client = client;
    this.callerDesk = new CallerClient(clientOptions(config, clock));
    const source = new RegistryKeySource({
      client,
      clock,
      mode: config.mode,
      keysMax: cache.max_keys,
      maxStaleMs: cache.max_stale,
      heartbeatMs: config.heartbeat,
      pollMs: config.poll,
      removalHoldMs: config.removal_hold,
      snapshotFiles: ownFirst(config.snapshot_file, slot),
      report: (level, message, fields, error) => log[level](message, fields, error),
    });
    this.source = source;
    const gate = gateName(config.gate, slot);
    const keysHeld = (): number => (source.isLookup ? parts.keysCached() : source.size);
    this.#status = new StatusReporter({
      client,
      gate,
      version,
      facts: () => ({ cursor: source.cursor, keys: keysHeld(), stalenessMs: source.stalenessMs }),
    });
    const [spoolFile] = ownFirst(config.usage.spool_file, slot);
    const usage = new UsageReporter({
      clock,
      gate,
      boot: randomBytes(12).toString("base64url"),
      send: (body, signal) => client.usage(body, signal),
      intervalMs: config.usage.interval,
      spool: spoolFile === undefined ? undefined : new UsageSpool(spoolFile),
      onFault: (message, fields, error) => log.warn(message, fields, error),
    });
    this.observers = [usage];
    this.ready = source.whenReady;
  }

  get readiness(): ReadinessCheck {
    const { source } = this;
    const from = source.isLookup ? "looked up" : `${source.size} keys`;
    return { name: "keys", ok: source.isReady, detail: source.isUp ? from : `${from}; the registry is away` };
  }

  readonly reading = (): RegistryReading => {
    const { source } = this;
    return {
      isUp: source.isUp,
      contactAtMs: source.contactAtMs,
      lagMs: source.stalenessMs,
      requests: [...this.#client.counts(), ...this.callerDesk.counts()],
      usageBatches: this.observers[0].results,
      distrusted: source.distrusted,
      heldRemovals: source.heldRemovals,
    };
  };

  async start(): Promise<void> {
    // After the cache has heard of it: what is reported as applied is applied everywhere.
    this.source.onChange(() => this.#status.nudge());
    await this.observers[0].start();
    await Promise.race([this.source.start(), delay(FIRST_KEYS_MS, undefined, { ref: false })]);
    this.#status.start();
  }

  reload({ config }: LoadedGate): readonly string[] {
    const { registry } = config.keys;
    if (registry === undefined) return ["keys"];
    this.#client.renew(accessOf(registry));
    this.callerDesk.renew(accessOf(registry));
    const isSame = fixedPart(registry) === fixedPart(this.#config);
    const { max_stale, max_keys } = config.cache;
    const isCacheSame = max_stale === this.#cache.max_stale && max_keys === this.#cache.max_keys;
    return [...(isSame ? [] : ["keys.registry"]), ...(isCacheSame ? [] : ["cache"])];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#status.close();
    await this.observers[0].close(LAST_USAGE_MS);
    await this.source.close();
    await this.callerDesk.close();
  }
}

/**
 * For a single question: asks the registry about a key by itself if it can, and takes all keys if
 * it cannot. Nothing is written or reported. Call `start` before and `close` after.
 */
export function sourceForOnce(config: RegistryConfig, cache: GateConfig["cache"]): RegistryKeySource {
  return new RegistryKeySource({
    client: new RegistryClient(clientOptions(config, systemClock)),
    clock: systemClock,
    mode: "auto",
    keysMax: 0,
    maxStaleMs: cache.max_stale,
    heartbeatMs: config.heartbeat,
    pollMs: config.poll,
    removalHoldMs: 0,
    snapshotFiles: [],
    report: () => undefined,
  });
}

function clientOptions(config: RegistryConfig, clock: Clock): RegistryClientOptions {
  return {
    url: config.url,
    ...accessOf(config),
    connectTimeoutMs: config.timeouts.connect,
    requestTimeoutMs: config.timeouts.request,
    lookupTimeoutMs: config.timeouts.lookup,
    clock,
  };
}

function accessOf({ token, tls }: RegistryConfig): RegistryAccess {
  if (tls === undefined) return { token, tls };
  return { token, tls: { ca: tls.ca, cert: tls.cert, key: tls.key, serverName: tls.server_name } };
}

/** All but what a reload can change. */
function fixedPart({ token: _token, token_file: _file, tls: _tls, ...fixed }: RegistryConfig): string {
  return JSON.stringify(fixed);
}

/** Letters and digits that the registry takes as a name. */
function gateName(given: string | undefined, slot: number | undefined): string {
  const name =
    given ??
    hostname()
      .replaceAll(/[^A-Za-z0-9._-]/g, "-")
      .slice(0, 100);
  const whole = name === "" ? "gate" : name;
  return slot === undefined ? whole : `${whole}:w${slot}`;
}

/** A file of each process; the first has the name as it is configured. */
function ownFirst(path: string | undefined, slot = 1): string[] {
  if (path === undefined) return [];
  const nameAt = (number: number): string => (number === 1 ? path : `${path}.${number}`);
  const others = Array.from({ length: SLOTS_MAX }, (_, index) => index + 1).filter(
    (number) => number !== slot,
  );
  return [nameAt(slot), ...others.map(nameAt)];
}
