/**
 * `keyward serve` with several workers: one process that supervises, the workers that serve, and
 * one operations port that speaks for all of them.
 */
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { systemClock } from "../base/clock.ts";
import type { GateConfig } from "../config/schema.ts";
import type { Family } from "../observe/exposition.ts";
import { LogDestination } from "../observe/log-destination.ts";
import { type Logger, createLogger } from "../observe/logger.ts";
import { gateMetricKinds } from "../observe/metric-catalogue.ts";
import { createMetricsPage } from "../observe/metrics-page.ts";
import { OpsServer } from "../observe/ops-server.ts";
import { BackendProbes } from "../gate/backend-probes.ts";
import { urlOf } from "./listener-url.ts";
import { version } from "./version.ts";
import { WorkerPool } from "./worker-pool.ts";

/** `auto` is one worker per core that the process may use. */
export function workerCount(workers: GateConfig["workers"]): number {
  return workers === "auto" ? availableParallelism() : workers;
}

export class PrimaryGate {
  readonly #config: GateConfig;
  readonly #pool: WorkerPool;
  readonly #ops: OpsServer;
  readonly #probes: BackendProbes;
  readonly #destination = new LogDestination();
  readonly #log: Logger;
  #isClosing = false;

  private constructor(config: GateConfig, port: number) {
    this.#config = config;
    const destination = this.#destination;
    const log = createLogger({ level: config.log.level, destination, clock: systemClock });
    this.#log = log;
    this.#pool = new WorkerPool(workerCount(config.workers), port, log);
    this.#probes = new BackendProbes(config);
    this.#ops = new OpsServer({
      name: "keyward",
      version,
      readiness: () => [
        { name: "listening", ok: this.#pool.listening > 0, detail: `${this.#pool.listening} workers` },
        { name: "not_draining", ok: !this.#isClosing },
        { name: "keys", ok: this.#pool.listening > 0 && this.#pool.unready === 0 },
      ],
      metrics: createMetricsPage({
        kinds: gateMetricKinds,
        open: async () => familyReader(await this.#pool.families()),
        includesProcess: true,
      }),
      probe: (name) => this.#probes.ask(name),
      log,
    });
  }

  /** Resolves when every worker listens. */
  static async start(config: GateConfig): Promise<PrimaryGate> {
    const { host, port } = config.listen;
    const held = port === 0 ? await holdFreePort(host) : undefined;
    const shared = held?.port ?? port;
    const primary = new PrimaryGate(config, shared);
    try {
      const ops = urlOf(await primary.#ops.listen(config.ops));
      await primary.#startWorkers();
      // Before anybody is told the port: what the system deals to this socket is lost with it.
      await held?.release();
      const url = urlOf({ address: host, port: shared });
      primary.#log.info("listening", { url, ops, workers: workerCount(config.workers), version });
      return primary;
    } finally {
      await held?.release();
    }
  }

  async #startWorkers(): Promise<void> {
    try {
      await this.#pool.start();
    } catch (error) {
      this.#pool.kill();
      await this.#ops.close();
      throw error;
    }
  }

  reload(): void {
    this.#pool.reload();
  }

  kill(): void {
    this.#pool.kill();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#log.info("stopping", { workers: this.#pool.listening });
    const hardEnd = setTimeout(
      () => this.#pool.kill(),
      this.#config.shutdown_delay + this.#config.shutdown_grace + KILL_MARGIN_MS,
    );
    await this.#pool.stop();
    clearTimeout(hardEnd);
    await this.#ops.close();
    await this.#probes.close();
    this.#log.info("stopped");
    await this.#destination.flush();
  }
}

/** Past their own grace, workers that do not end are ended. */
const KILL_MARGIN_MS = 5000;

function familyReader(families: readonly Family[]): (name: string) => Family["samples"] {
  const byName = new Map(families.map((family) => [family.name, family.samples]));
  return (name) => byName.get(name) ?? [];
}

interface HeldPort {
  readonly port: number;
  /** Harmless when it was released before. */
  release(): Promise<void>;
}

/**
 * Workers that share a port must know it; port 0 would give each its own. Where ports can be
 * shared it is held until they listen, so that nobody else is given it meanwhile.
 */
async function holdFreePort(host: string): Promise<HeldPort> {
  const probe = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen({ host, port: 0, reusePort: canSharePorts }, () => resolve());
  });
  const address = probe.address();
  // Closed already, it says so by an error, which does not matter here.
  const release = (): Promise<void> => new Promise((resolve) => probe.close(() => resolve()));
  if (!canSharePorts) await release();
  if (address === null || typeof address === "string") throw new Error("no free port");
  return { port: address.port, release };
}

/** As the workers bind theirs. */
const canSharePorts = process.platform === "linux";
