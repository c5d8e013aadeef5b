/**
 * The registry as a process runs it: the store from the config, the API on one port, operations on
 * another, and a stop that tells gates to come back.
 */
import type { FastifyInstance } from "fastify";
import { type Clock, systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { RegistryConfig } from "../config/registry-schema.ts";
import { LogDestination } from "../observe/log-destination.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import { createMetricsPage } from "../observe/metrics-page.ts";
import { OpsServer, type ReadinessCheck } from "../observe/ops-server.ts";
import { RegistryAccessLog } from "../observe/registry-access-log.ts";
import { registryMetricKinds } from "../observe/registry-catalogue.ts";
import { RegistryMetrics } from "../observe/registry-metrics.ts";
import { keepConfiguredTokens } from "../registry/bootstrap.ts";
import { openStore } from "../registry/open-store.ts";
import { RegistryServer } from "../registry/server.ts";
import type { Store } from "../registry/store.ts";
import { consoleOptions, registryOptions, silenceMaxMs } from "./registry-options.ts";
import { urlOf } from "./listener-url.ts";
import { version } from "./version.ts";

export interface RegistryStart {
  readonly config: RegistryConfig;
  /** File descriptor or path for program and access log; standard output without it. */
  readonly logTarget?: number | string;
  readonly clock?: Clock;
  /** Further pages on the API's port, such as a console. */
  readonly extend?: (app: FastifyInstance) => void;
}

/** Opens, listens, and is ready when it resolves. Rejects when store or port cannot be opened. */
export async function startRegistry(start: RegistryStart): Promise<RunningRegistry> {
  const destination = new LogDestination(start.logTarget);
  const { config, clock = systemClock } = start;
  const log = createLogger({ level: config.log.level, destination, clock });
  const store = await openStore(config.storage, {
    random: systemRandom,
    onNotice: (notice, error) => log.warn(notice, {}, error),
  });
  const registry = new RunningRegistry({ ...start, clock }, store, destination, log);
  try {
    await registry.listen();
  } catch (error) {
    await registry.close();
    throw error;
  }
  return registry;
}

export class RunningRegistry {
  readonly #config: RegistryConfig;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #destination: LogDestination;
  readonly #log: Logger;
  readonly #server: RegistryServer;
  readonly #ops: OpsServer;
  #url = "";
  #opsUrl = "";
  #closing: Promise<void> | undefined;

  constructor(
    { config, clock, extend }: RegistryStart & { readonly clock: Clock },
    store: Store,
    destination: LogDestination,
    log: Logger,
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#store = store;
    this.#destination = destination;
    this.#log = log;
    const access = config.log.access ? new RegistryAccessLog(destination, clock) : undefined;
    const metrics = new RegistryMetrics({
      clock,
      version,
      readings: {
        subscribers: () => this.#server.subscribers,
        revision: () => this.#server.cursor.rev,
        silenceMs: () => this.#server.silenceMs,
        logLinesDropped: () => destination.linesDropped,
        countKeys: () => store.countKeys(clock.now()),
        liveGates: () => this.#server.liveGates(),
      },
    });
    const console = consoleOptions(config);
    this.#server = new RegistryServer({
      store,
      clock,
      random: systemRandom,
      options: registryOptions(config),
      ...(console !== undefined && { console }),
      onAnswered: (request) => {
        metrics.answered(request);
        access?.answered(request);
      },
      onUsage: (isNew) => metrics.usage(isNew),
      onFault: (message, error) => {
        metrics.fault();
        log.error(message, {}, error);
      },
      ...(extend !== undefined && { extend }),
    });
    this.#ops = new OpsServer({
      name: "keyward registry",
      version,
      readiness: () => this.#readiness(),
      metrics: createMetricsPage({
        kinds: registryMetricKinds,
        open: () => metrics.open(),
        includesProcess: true,
      }),
      log,
    });
  }

  /** Where gates and administrators connect, and where probes and scrapers do. */
  get url(): string {
    return this.#url;
  }

  get opsUrl(): string {
    return this.#opsUrl;
  }

  get store(): Store {
    return this.#store;
  }

  async listen(): Promise<void> {
    const { listen, ops, tokens } = this.#config;
    await this.#store.migrate();
    const configured = { admin: tokens.admin_token, gate: tokens.gate_token };
    for (const role of await keepConfiguredTokens(this.#store, configured, this.#clock.now())) {
      this.#log.warn("the configured token was revoked and opens nothing; configure another", { role });
    }
    this.#opsUrl = urlOf(await this.#ops.listen(ops));
    this.#url = urlOf(await this.#server.listen(listen));
    const { epoch, rev } = this.#server.cursor;
    this.#log.info("registry listening", { url: this.#url, ops: this.#opsUrl, epoch, rev, version });
  }

  /** Nothing of a registry can be exchanged while it runs; a signal must not end it either. */
  reload(reason: string): void {
    this.#log.warn("the registry reads its config at start only; restart it", { reason });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#log.info("registry stopping", { subscribers: this.#server.subscribers });
    await this.#server.close(this.#config.shutdown_grace);
    await this.#ops.close();
    await this.#store.close();
    this.#log.info("registry stopped");
    await this.#destination.close();
  }

  #readiness(): ReadinessCheck[] {
    const { silenceMs } = this.#server;
    const isHeard = silenceMs <= silenceMaxMs(this.#config);
    return [
      { name: "listening", ok: this.#url !== "" },
      { name: "not_draining", ok: this.#closing === undefined },
      { name: "storage", ok: isHeard, detail: `answered ${Math.round(silenceMs)} ms ago` },
    ];
  }
}
