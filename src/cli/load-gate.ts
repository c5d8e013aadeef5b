/** Reads and compiles everything a gate is made of, for `serve`, `check` and `explain` alike. */
import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { loadGateConfig } from "../config/load.ts";
import type { FileStamps } from "../config/file-stamp.ts";
import type { GateConfig } from "../config/schema.ts";
import type { Fault } from "../document/fault.ts";
import { MISSING } from "../document/text-file.ts";
import { type GateParts, type GateState, compileGate } from "../gate/gate-state.ts";
import type { Upstream } from "../gate/upstream.ts";
import type { UpstreamSet } from "../gate/upstreams.ts";
import { KeyCacheStats } from "../keys/cache.ts";
import { CompactKeys } from "../keys/compact-keys.ts";
import { KeyCounterTable } from "../keys/counters.ts";
import { FileKeySource, type LoadedKeys, loadPackedKeys } from "../keys/file-source.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadedGate {
  readonly ok: true;
  readonly config: GateConfig;
  /** Absolute paths that the gate is made from, and their state before they were read: to be watched. */
  readonly stamps: FileStamps;
  /** Of the key file; none with a registry. */
  readonly keys: CompactKeys;
  readonly compile: (parts: GateParts) => GateState;
  readonly upstreams: ReadonlyMap<string, Upstream>;
}

export type LoadResult = LoadedGate | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Whole or not at all: config, key file and route table are read and compiled before anything is
 * given back.
 */
export function loadGate(configFile: string, env: Environment, upstreamSet: UpstreamSet): LoadResult {
  const loaded = loadGateConfig(configFile, env);
  if (!loaded.ok) return loaded;
  const { config, faultAt } = loaded;
  const keys = config.keys.file === undefined ? NO_FILE : loadPackedKeys(config.keys.file, env);
  const upstreams = upstreamSet.prepare(config);
  // Compiled once for its faults; the running gate compiles again with its own parts.
  const { faults } = compileGate(config, { ...trialParts(systemClock), upstreams });
  const routeFaults = faults.map((fault) => faultAt(["routes", fault.index, "path"], fault.message));
  const allFaults = [...routeFaults, ...(keys.ok ? [] : keys.faults.map(withWayOut))];
  if (allFaults.length > 0 || !keys.ok) return { ok: false, faults: allFaults };
  return {
    ok: true,
    config,
    stamps: loaded.stamps,
    keys: keys.records,
    compile: (parts) => compileGate(config, parts).state,
    upstreams,
  };
}

function withWayOut(fault: Fault): Fault {
  return fault.message === MISSING
    ? { ...fault, message: `${MISSING}; keyward keys create makes it` }
    : fault;
}

const NO_FILE: LoadedKeys<CompactKeys> = { ok: true, records: new CompactKeys(), count: 0 };

function trialParts(clock: Clock): Omit<GateParts, "upstreams"> {
  return {
    clock,
    source: new FileKeySource(new CompactKeys()),
    counters: new KeyCounterTable(1),
    cacheStats: new KeyCacheStats(),
  };
}
