/**
 * A gate as a process: config and keys from files, a port for clients and one for operations.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../base/clock.ts";
import { settleHeap } from "../base/heap-policy.ts";
import type { FileStamps } from "../config/file-stamp.ts";
import type { GateConfig } from "../config/schema.ts";
import { watchFiles, type FileWatch } from "../config/watch.ts";
import { type Fault, formatFault } from "../document/fault.ts";
import { BackendProbes } from "../gate/backend-probes.ts";
import { Gate } from "../gate/gate.ts";
import type { GateParts } from "../gate/gate-state.ts";
import type { ListeningSocket } from "../gate/listener.ts";
import { upstreamErrorKinds } from "../gate/upstream-error.ts";
import { UpstreamSet } from "../gate/upstreams.ts";
import { KeyCacheStats } from "../keys/cache.ts";
import { KeyCounterTable } from "../keys/counters.ts";
import { AccessLog } from "../observe/access-log.ts";
import { CombinedObserver } from "../observe/combine.ts";
import { GateMetrics } from "../observe/gate-metrics.ts";
import type { Family } from "../observe/exposition.ts";
import { LogDestination } from "../observe/log-destination.ts";
import { type Logger, createLogger } from "../observe/logger.ts";
import { gateMetricKinds } from "../observe/metric-catalogue.ts";
import { createMetricsPage } from "../observe/metrics-page.ts";
import { OpsServer, type ReadinessCheck } from "../observe/ops-server.ts";
import { fixedOptions } from "./gate-options.ts";
import { gateReadings } from "./gate-readings.ts";
import { type KeyOrigin, type OpenKeys, keyOpener } from "./key-origin.ts";
import { type LoadedGate, type LoadResult, loadGate } from "./load-gate.ts";
import { urlOf } from "./listener-url.ts";
import { version } from "./version.ts";

export interface StartOptions {
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** File descriptor or path for program and access log; standard output without it. */
  readonly logTarget?: number | string;
  readonly clock?: Clock;
  /** One of several processes on this port: without an operations port of its own. */
  readonly worker?: WorkerPlace;
}

export interface WorkerPlace {
  readonly port: number;
  /** Its number among the workers of now, from 1. */
  readonly slot: number;
  /** Inherited from a worker before this one, with the connections that wait in its queue. */
  readonly socket?: ListeningSocket | undefined;
}

export type StartResult =
  | { readonly ok: true; readonly gate: RunningGate }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Loads, listens, and is ready when it resolves. Rejects when a port cannot be opened.
 * @param before where it is loaded already
 */
export async function startGate(options: StartOptions, before?: LoadResult): Promise<StartResult> {
  const upstreams = new UpstreamSet();
  const loaded = before ?? loadGate(options.configFile, options.env, upstreams);
  if (!loaded.ok) return loaded;
  const gate = new RunningGate(options, loaded, upstreams, await keyOpener(loaded.config));
  try {
    await gate.listen();
  } catch (error) {
    await gate.abandon();
    throw error;
  }
  return { ok: true, gate };
}

export class RunningGate {
  readonly #options: StartOptions;
  readonly #upstreams: UpstreamSet;
  readonly #keys: KeyOrigin;
  readonly #parts: Omit<GateParts, "upstreams">;
  readonly #destination: LogDestination;
  readonly #log: Logger;
  readonly #metrics: GateMetrics;
  readonly #gate: Gate;
  readonly #ops: OpsServer;
  readonly #probes: BackendProbes;
  #config: GateConfig;
  #watch: FileWatch | undefined;
  #stamps: FileStamps;
  #proxyUrl = "";
  #opsUrl = "";
  #listeningSocket: ListeningSocket | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StartOptions, loaded: LoadedGate, upstreams: UpstreamSet, openKeys: OpenKeys) {
    const clock = options.clock ?? systemClock;
    const { config } = loaded;
    this.#options = options;
    this.#config = config;
    this.#stamps = loaded.stamps;
    this.#upstreams = upstreams;
    this.#destination = new LogDestination(options.logTarget);
    this.#log = createLogger({ level: config.log.level, destination: this.#destination, clock });
    this.#keys = openKeys(loaded, {
      clock,
      log: this.#log,
      slot: options.worker?.slot,
      keysCached: () => this.#gate.state.keys.entries().positive,
    });
    const { source, callerDesk } = this.#keys;
    const counters = new KeyCounterTable(config.metrics.max_keys);
    this.#parts = { clock, source, callerDesk, counters, cacheStats: new KeyCacheStats() };
    const state = loaded.compile({ ...this.#parts, upstreams: loaded.upstreams });
    upstreams.onBypassable = (upstream, address) =>
      this.#log.warn("the backend can be reached around the gate", { upstream, address });
    upstreams.adopt(config, loaded.upstreams);
    this.#metrics = new GateMetrics({
      clock,
      version,
      keyCounters: this.#parts.counters,
      maxKeys: config.metrics.max_keys,
      upstreamErrorKinds,
      readings: gateReadings({
        upstreams,
        keys: this.#keys,
        maxKeys: config.metrics.max_keys,
        cacheStats: this.#parts.cacheStats,
        cache: () => this.#gate.state.keys,
        tunnels: () => this.#gate.tunnels,
        observerFailures: () => observer.failures,
        logLinesDropped: () => this.#destination.linesDropped,
      }),
    });
    const access = config.log.access ? [new AccessLog(this.#destination, clock)] : [];
    const observers = [this.#metrics, ...access, ...this.#keys.observers];
    const observer = new CombinedObserver(observers, (name, error) =>
      this.#log.error("an observer failed", { observer: name }, error),
    );
    this.#gate = new Gate(
      {
        clock,
        observer,
        idStart: randomBytes(4).toString("hex"),
        ...fixedOptions(config, this.#log),
        onBug: (error) => this.#log.error("a request failed inside the gate", {}, error),
      },
      state,
    );
    this.#keys.source.onChange(() => this.#gate.keysChanged());
    this.#probes = new BackendProbes(config);
    this.#ops = new OpsServer({
      name: "keyward",
      version,
      readiness: () => this.#readiness(),
      metrics: createMetricsPage({
        kinds: gateMetricKinds,
        open: () => (name) => this.#metrics.collect(name),
        includesProcess: true,
      }),
      probe: (name) => this.#probes.ask(name),
      log: this.#log,
    });
  }

  /** Where clients connect, and where probes and scrapers do; known once it listens. */
  get proxyUrl(): string {
    return this.#proxyUrl;
  }

  /** All of its numbers as plain data, for a primary that adds them up. */
  metricFamilies(): Family[] {
    return this.#metrics.snapshot();
  }

  /** Once keys can be told apart. */
  get ready(): Promise<void> {
    return this.#keys.ready;
  }

  get opsUrl(): string {
    return this.#opsUrl;
  }

  /** Of a worker with a queue of its own: the primary keeps it for the next one. */
  get listeningSocket(): ListeningSocket | undefined {
    return this.#listeningSocket;
  }

  async listen(): Promise<void> {
    const { listen, ops } = this.#config;
    const { worker } = this.#options;
    // Probes are answered while the first keys are fetched; clients come when that has ended.
    if (worker === undefined) this.#opsUrl = urlOf(await this.#ops.listen(ops));
    await this.#keys.start();
    settleHeap();
    if (worker === undefined) {
      this.#proxyUrl = urlOf((await this.#gate.listen(listen)).address);
    } else {
      // Each worker has a queue of its own in the kernel where it can; elsewhere the primary deals out.
      const reusePort = process.platform === "linux";
      const own = { host: listen.host, port: worker.port, reusePort };
      const listening = await this.#gate.listen(worker.socket ?? own);
      this.#proxyUrl = urlOf(listening.address);
      if (reusePort) this.#listeningSocket = listening.socket;
    }
    this.#startWatch();
    this.#log.info(worker === undefined ? "listening" : "worker listening", {
      url: this.#proxyUrl,
      ...(worker === undefined ? { ops: this.#opsUrl } : { pid: process.pid }),
      keys: this.#keys.source.size,
      routes: this.#config.routes.length,
      version,
    });
  }

  /**
   * Reads config and keys again. What is wrong is logged and counted, and the old ones stay.
   * @returns whether the new ones are in use
   */
  reload(reason: string): boolean {
    if (this.#closing !== undefined) return false;
    const loaded = loadGate(this.#options.configFile, this.#options.env, this.#upstreams);
    this.#metrics.configReloaded(loaded.ok);
    if (!loaded.ok) {
      this.#log.error("reload refused, the old config stays", {
        reason,
        faults: loaded.faults.length,
        first: loaded.faults[0] === undefined ? "" : formatFault(loaded.faults[0]),
      });
      return false;
    }
    this.#apply(loaded);
    this.#log.info("reloaded", { reason, keys: this.#keys.source.size, routes: loaded.config.routes.length });
    return true;
  }

  #apply(loaded: LoadedGate): void {
    this.#warnOfFixedOptions(loaded.config);
    for (const section of this.#keys.reload(loaded)) this.#warnOfFixed(section);
    this.#gate.setState(loaded.compile({ ...this.#parts, upstreams: loaded.upstreams }));
    this.#upstreams.adopt(loaded.config, loaded.upstreams);
    this.#log.setLevel(loaded.config.log.level);
    this.#config = loaded.config;
    const isSameSet = [...loaded.stamps.keys()].join("\n") === [...this.#stamps.keys()].join("\n");
    this.#stamps = loaded.stamps;
    if (!isSameSet) this.#startWatch();
  }

  #warnOfFixedOptions(next: GateConfig): void {
    for (const section of ["listen", "ops", "workers", "bounds", "timeouts", "metrics"] as const) {
      if (JSON.stringify(next[section]) === JSON.stringify(this.#config[section])) continue;
      this.#warnOfFixed(section);
    }
    if (next.log.access !== this.#config.log.access) this.#warnOfFixed("log.access");
  }

  #warnOfFixed(section: string): void {
    this.#log.warn("a changed section needs a restart", { section });
  }

  #startWatch(): void {
    this.#watch?.close();
    const onChange = (): void => void this.reload("file changed");
    this.#watch = watchFiles([...this.#stamps.keys()], onChange, { since: this.#stamps });
  }

  #readiness(): ReadinessCheck[] {
    const isClosing = this.#closing !== undefined;
    return [
      { name: "listening", ok: this.#proxyUrl !== "" },
      { name: "not_draining", ok: !isClosing },
      this.#keys.readiness,
    ];
  }

  /** Not ready at once; after `shutdown_delay` no new connections; then up to `shutdown_grace` for the rest. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#watch?.close();
    this.#log.info("stopping", { in_flight: this.#gate.inFlight });
    if (this.#config.shutdown_delay > 0) await delay(this.#config.shutdown_delay);
    await this.#gate.close(this.#config.shutdown_grace);
    await this.abandon();
  }

  /** Gives back what a gate that could not start has opened. */
  async abandon(): Promise<void> {
    this.#watch?.close();
    await this.#keys.close();
    await this.#upstreams.destroy();
    await this.#ops.close();
    await this.#probes.close();
    this.#log.info("stopped");
    await this.#destination.close();
  }
}
