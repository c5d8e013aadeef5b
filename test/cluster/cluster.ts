/**
 * Registries on one store and gates that follow them, each a process as users run it. Every gate
 * reaches the registries over a network of its own, which can be cut.
 */
import { randomBytes } from "node:crypto";
import { Agent } from "node:http";
import type { KeyRecord } from "../../src/keys/record.ts";
import { type EchoProcess, startEchoProcess } from "../support/echo-upstream.ts";
import { writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { type Answer, ask } from "../support/http-client.ts";
import { noteSecret } from "../support/known-secrets.ts";
import { lastingPort } from "../support/listening.ts";
import { type RegistryProcess, startRegistryProcess } from "../support/registry-process.ts";
import { type TcpFront, startTcpFront } from "../support/tcp-front.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";

const ADMIN = `admin-${randomBytes(16).toString("hex")}`;
const GATE = `gate-${randomBytes(16).toString("hex")}`;
const TOKENS = { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN, KEYWARD_REGISTRY_GATE_TOKEN: GATE };

/** Short times, so that a fault is seen within seconds. */
export const TIMES = { heartbeatMs: 500, maxStaleMs: 6000, usageMs: 1000 };

export interface ClusterOptions {
  /** Of the registries; without it the SQLite file `registry.db` in the folder. */
  readonly storage?: string;
  readonly registries: number;
  readonly gates: number;
  /** Options of `keys.registry` of every gate, for the name of the gate. */
  readonly gateOptions?: (name: string, folder: TempFolder) => Readonly<Record<string, unknown>>;
  readonly gateConfig?: Readonly<Record<string, unknown>>;
}

export interface Key {
  readonly id: string;
  readonly secret: string;
}

export interface ClusterGate {
  readonly name: string;
  readonly front: TcpFront;
  readonly configFile: string;
  readonly agent: Agent;
  process: GateProcess;
}

interface ClusterRegistry {
  readonly folder: TempFolder;
  readonly port: number;
  process: RegistryProcess;
}

export class Cluster implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly registries: ClusterRegistry[] = [];
  readonly gates: ClusterGate[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #options: ClusterOptions;
  readonly #parts = new AsyncDisposableStack();
  readonly #upstream: EchoProcess;

  private constructor(options: ClusterOptions, folder: TempFolder, upstream: EchoProcess) {
    this.#options = options;
    this.folder = this.#parts.use(folder);
    this.#upstream = this.#parts.use(upstream);
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await makeTempFolder(), await startEchoProcess());
    try {
      // The first one makes the schema and the tokens, and the others find them.
      for (let index = 0; index < options.registries; index++) await cluster.#addRegistry(index);
      const names = Array.from({ length: options.gates }, (_, index) => `gate${index + 1}`);
      await Promise.all(names.map((name) => cluster.#addGate(name)));
      cluster.gates.sort((a, b) => a.name.localeCompare(b.name));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #addRegistry(index: number): Promise<void> {
    const folder = this.#parts.use(await makeTempFolder());
    const port = await lastingPort();
    const process = await startRegistryProcess(folder, this.#registryConfig(), TOKENS, port);
    this.registries.push({ folder, port, process });
    this.#parts.defer(async () => await this.registries[index]?.process[Symbol.asyncDispose]());
  }

  #registryConfig(): string {
    const storage = this.#options.storage ?? this.folder.file("registry.db");
    return [
      `storage: ${storage}`,
      "key_format: { prefix: mem, environments: [live, test] }",
      `gates: { heartbeat: ${TIMES.heartbeatMs}ms }`,
      "log: { access: false }",
      "",
    ].join("\n");
  }

  async #addGate(name: string): Promise<void> {
    const front = this.#parts.use(await startTcpFront(this.registries.map(({ port }) => port)));
    const { folder } = this;
    const own: TempFolder = { ...folder, write: (file, content) => folder.write(`${name}/${file}`, content) };
    const registry = {
      url: `http://127.0.0.1:${front.port}/v1/gate`,
      token: GATE,
      gate: name,
      heartbeat: `${2 * TIMES.heartbeatMs}ms`,
      timeouts: { connect: "1s", request: "1s", lookup: "1s" },
      usage: { interval: `${TIMES.usageMs}ms` },
      ...this.#options.gateOptions?.(name, folder),
    };
    const { configFile } = await writeGateFiles(own, {
      upstreamUrl: this.#upstream.url,
      config: {
        keys: { registry },
        cache: { max_stale: `${TIMES.maxStaleMs}ms` },
        log: { access: false },
        // A machine that is busy with others makes a gate lag; this is about keys.
        bounds: { event_loop_delay: "0s" },
        ...this.#options.gateConfig,
      },
    });
    const gate: ClusterGate = {
      name,
      front,
      configFile,
      agent: new Agent({ keepAlive: true }),
      process: await startGateProcess(configFile),
    };
    this.gates.push(gate);
    this.#parts.defer(async () => {
      gate.agent.destroy();
      await gate.process[Symbol.asyncDispose]();
    });
  }

  /** As a machine dies. */
  async killGate(gate: ClusterGate): Promise<void> {
    gate.process.child.kill("SIGKILL");
    await gate.process.child.ended();
  }

  async startGate(gate: ClusterGate): Promise<void> {
    gate.process = await startGateProcess(gate.configFile);
  }

  async killRegistry(index: number): Promise<void> {
    const { child } = this.#registry(index).process;
    child.kill("SIGKILL");
    await child.ended();
  }

  async startRegistry(index: number): Promise<void> {
    const registry = this.#registry(index);
    registry.process = await startRegistryProcess(
      registry.folder,
      this.#registryConfig(),
      TOKENS,
      registry.port,
    );
  }

  /** A call of the management API. */
  async manage(
    index: number,
    request: string,
    content?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const [method = "", path = ""] = request.split(" ");
    return await ask(`http://127.0.0.1:${this.#registry(index).port}${path}`, {
      method,
      key: ADMIN,
      agent: this.#agent,
      headers: { "content-type": "application/json", ...headers },
      ...(content !== undefined && { body: JSON.stringify(content) }),
    });
  }

  /** All keys, as a gate is told them. */
  async snapshot(index = 0): Promise<{ readonly rev: number; readonly records: readonly KeyRecord[] }> {
    const { text } = await ask(`http://127.0.0.1:${this.#registry(index).port}/v1/gate/keys`, { key: GATE });
    const [head, ...lines] = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly rev: number });
    const end = lines.pop() as { readonly kind?: string } | undefined;
    if (head === undefined || end?.kind !== "end") throw new Error(`not a snapshot: ${text.slice(0, 200)}`);
    return { rev: head.rev, records: lines as unknown as KeyRecord[] };
  }

  async makeKey(index = 0, fields: object = {}): Promise<Key> {
    const answer = await this.manage(index, "POST /v1/api-keys", {
      name: "Cluster",
      organization: "org_acme",
      environment: "live",
      scopes: ["read", "write"],
      ...fields,
    });
    if (answer.status !== 201) throw new Error(`no key was made: ${answer.status} ${answer.text}`);
    const key = answer.json() as Key;
    noteSecret(key.secret, key.id);
    return key;
  }

  #registry(index: number): ClusterRegistry {
    const registry = this.registries[index];
    if (registry === undefined) throw new RangeError(`no registry ${index}`);
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.#parts.disposeAsync();
  }
}
