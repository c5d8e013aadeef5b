/** A gate in the test's own process with a fake registry behind it and an echo upstream in front. */
import { type RunningGate, startGate } from "../../src/cli/running-gate.ts";
import { formatFault } from "../../src/document/fault.ts";
import { readFileSync } from "node:fs";
import { type EchoUpstream, startEchoUpstream } from "./echo-upstream.ts";
import { FakeRegistry, type FakeRegistryOptions } from "./fake-registry.ts";
import { type KeyFixture, writeGateFiles } from "./fixtures.ts";
import { type LogLine, linesOf } from "./gate-process.ts";
import { type Answer, ask } from "./http-client.ts";
import { assertNoSecretIn } from "./known-secrets.ts";
import { MovedClock } from "./source-scene.ts";
import { type TempFolder, makeTempFolder } from "./temp-folder.ts";

export interface RegistryGateOptions {
  /** Keys that the registry has from the start. */
  readonly keys?: readonly KeyFixture[];
  readonly registry?: FakeRegistryOptions;
  /** Options of `keys.registry`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Top-level options of the config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of an echo upstream. */
  readonly upstreamUrl?: string;
  /** Before the gate starts. */
  readonly prepare?: (registry: FakeRegistry) => void | Promise<void>;
}

/** Short times, so that a test sees in a second what a gate does in a minute. */
const QUICK = {
  heartbeat: "800ms",
  poll: "200ms",
  timeouts: { connect: "1s", request: "1s", lookup: "1s" },
  usage: { interval: "1s" },
};

export class RegistryGate implements AsyncDisposable {
  readonly clock = new MovedClock();
  readonly registry: FakeRegistry;
  readonly upstream: EchoUpstream;
  readonly folder: TempFolder;
  readonly gate: RunningGate;
  readonly #logFile: string;

  private constructor(parts: Pick<RegistryGate, "registry" | "upstream" | "folder" | "gate" | "clock">) {
    this.registry = parts.registry;
    this.upstream = parts.upstream;
    this.folder = parts.folder;
    this.gate = parts.gate;
    this.clock = parts.clock;
    this.#logFile = parts.folder.file("gate.log");
  }

  static async start(options: RegistryGateOptions = {}): Promise<RegistryGate> {
    const { keys = [], prepare, config = {} } = options;
    await using cleanUp = new AsyncDisposableStack();
    const registry = cleanUp.use(
      await FakeRegistry.start({
        keys: keys.map(({ record }) => record),
        heartbeatMs: 80,
        ...options.registry,
      }),
    );
    await prepare?.(registry);
    const upstream = cleanUp.use(await startEchoUpstream());
    const folder = cleanUp.use(await makeTempFolder());
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: options.upstreamUrl ?? upstream.url,
      config: {
        shutdown_grace: "1s",
        // A clock that a test moves must not look like an event loop that lags.
        bounds: { event_loop_delay: "0s" },
        keys: {
          registry: { url: registry.url, token: registry.token, gate: "gate1", ...QUICK, ...options.options },
        },
        ...config,
      },
    });
    const clock = new MovedClock();
    const started = await startGate({ configFile, env: {}, logTarget: folder.file("gate.log"), clock });
    if (!started.ok) throw new Error(started.faults.map(formatFault).join("\n"));
    cleanUp.move();
    return new RegistryGate({ registry, upstream, folder, gate: started.gate, clock });
  }

  /** `GET /v1/memories` with the key. */
  async ask(key: KeyFixture | string, path = "/v1/memories"): Promise<Answer> {
    return await ask(`${this.gate.proxyUrl}${path}`, { key: typeof key === "string" ? key : key.secret });
  }

  async status(key: KeyFixture | string): Promise<number> {
    return (await this.ask(key)).status;
  }

  /** The metrics page. */
  async metrics(): Promise<string> {
    return (await ask(`${this.gate.opsUrl}/metrics`)).text;
  }

  async isReady(): Promise<boolean> {
    return (await ask(`${this.gate.opsUrl}/readyz`)).status === 200;
  }

  log(): readonly LogLine[] {
    return linesOf(readFileSync(this.#logFile, "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const metrics = JSON.stringify(this.gate.metricFamilies());
    await this.gate.close();
    const log = readFileSync(this.#logFile, "utf8");
    await this.registry[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
    assertNoSecretIn(log, "the log of the gate");
    assertNoSecretIn(metrics, "the metrics of the gate");
  }
}
