/** Where a running gate's keys come from: the key file, read again at a reload, or a registry. */
import type { Clock } from "../base/clock.ts";
import type { GateConfig } from "../config/schema.ts";
import type { Observer } from "../gate/exchange.ts";
import type { CallerDesk } from "../keys/caller-client.ts";
import { FileKeySource } from "../keys/file-source.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { KeySource } from "../keys/source.ts";
import type { RegistryReading } from "../observe/gate-readings.ts";
import type { Logger } from "../observe/logger.ts";
import type { ReadinessCheck } from "../observe/ops-server.ts";
import type { LoadedGate } from "./load-gate.ts";

export interface KeyOrigin {
  readonly source: KeySource & { records(): Iterable<KeyRecord> };
  /** Told of every exchange, beside metrics and log. */
  readonly observers: readonly Observer[];
  readonly readiness: ReadinessCheck;
  /** Resolves once keys can be told apart. */
  readonly ready: Promise<void>;
  /** Where keys manage keys; undefined without a registry. */
  readonly callerDesk: CallerDesk | undefined;
  /** Undefined without a registry. */
  readonly reading: (() => RegistryReading) | undefined;
  /** Resolves when a first answer is there, good or bad; rejects never. */
  start(): Promise<void>;
  /** Takes what a reload has read. @returns what it could not take: sections that need a restart */
  reload(loaded: LoadedGate): readonly string[];
  close(): Promise<void>;
}

export interface OriginParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Number of this process among those that share the port, from 1; undefined when it is alone. */
  readonly slot: number | undefined;
  /** Keys in the cache of the current config. */
  readonly keysCached: () => number;
}

export type OpenKeys = (loaded: LoadedGate, parts: OriginParts) => KeyOrigin;

/** Whoever has a key file does not load all that a registry needs. */
export async function keyOpener({ keys: { registry }, cache }: GateConfig): Promise<OpenKeys> {
  if (registry === undefined) return (loaded, { log }) => new FileOrigin(loaded, log);
  const { RegistryOrigin } = await import("./registry-origin.ts");
  return (_loaded, parts) => new RegistryOrigin(registry, cache, parts);
}

class FileOrigin implements KeyOrigin {
  readonly source: FileKeySource;
  readonly observers = [];
  readonly ready: Promise<void> = Promise.resolve();
  readonly callerDesk = undefined;
  readonly reading = undefined;

  readonly #log: Logger;

  constructor({ keys, config }: LoadedGate, log: Logger) {
    this.source = new FileKeySource(keys);
    this.#log = log;
    this.#warnOfHandlers(config);
  }

  get readiness(): ReadinessCheck {
    return { name: "keys", ok: true, detail: `${this.source.size} keys` };
  }

  start(): Promise<void> {
    return this.ready;
  }

  reload({ config, keys }: LoadedGate): readonly string[] {
    // Its records are those of no file: taking them would refuse everybody.
    if (config.keys.registry !== undefined) return ["keys"];
    this.source.replace(keys);
    this.#warnOfHandlers(config);
    return [];
  }

  /** A ready config is used with a file first, and with a registry later: no fault, but nothing to overlook. */
  #warnOfHandlers({ routes }: GateConfig): void {
    const idle = routes.filter(({ handler }) => handler === "keys" || handler === "usage");
    if (idle.length === 0) return;
    this.#log.warn("these routes need a key registry and answer 501 without one", {
      routes: idle.map(({ name, path }) => name ?? path).join(" "),
    });
  }

  close(): Promise<void> {
    return this.ready;
  }
}
