/**
 * A gate and Keyward's own registry in the test's process, with routes on which keys manage keys, and
 * an echo upstream that must never hear of it.
 */
import { type RunningGate, startGate } from "../../src/cli/running-gate.ts";
import { formatFault } from "../../src/document/fault.ts";
import { readFileSync } from "node:fs";
import { type EchoUpstream, startEchoUpstream } from "./echo-upstream.ts";
import { writeGateFiles } from "./fixtures.ts";
import { type LogLine, linesOf } from "./gate-process.ts";
import { type Answer, type Asked, ask } from "./http-client.ts";
import { assertNoSecretIn, noteSecret } from "./known-secrets.ts";
import { type MadeKey, type RegistryScene, type SceneOptions, startRegistry } from "./registry-scene.ts";
import { type TempFolder, makeTempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

export interface DeskCall extends Omit<Asked, "body" | "key" | "method"> {
  readonly json?: unknown;
  readonly body?: Asked["body"];
}

const ROUTES = [
  { path: "/v1/memories/**", scopes: ["read"] },
  { path: "/v1/me", handler: "whoami" },
  { path: "/v1/account/api-keys/**", handler: "keys", scopes: ["admin"] },
  { path: "/v1/account/usage", handler: "usage", scopes: ["admin"] },
  { path: "/v1/tiny/api-keys/**", handler: "keys", scopes: ["admin"], max_body: "100" },
];

export class KeyDeskScene implements AsyncDisposable {
  readonly registry: RegistryScene;
  readonly upstream: EchoUpstream;
  readonly gate: RunningGate;
  readonly #folder: TempFolder;

  private constructor(parts: Pick<KeyDeskScene, "registry" | "upstream" | "gate">, folder: TempFolder) {
    this.registry = parts.registry;
    this.upstream = parts.upstream;
    this.gate = parts.gate;
    this.#folder = folder;
  }

  /** @param config top-level options of the gate */
  static async start(options: SceneOptions = {}, config: object = {}): Promise<KeyDeskScene> {
    await using cleanUp = new AsyncDisposableStack();
    const keyFormat = { prefix: "mem", environments: ["live", "test"], checksum: false };
    const registry = cleanUp.use(await startRegistry({ keyFormat, ...options }));
    const upstream = cleanUp.use(await startEchoUpstream());
    const folder = cleanUp.use(await makeTempFolder());
    const url = `${registry.url}/v1/gate`;
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      config: {
        shutdown_grace: "1s",
        routes: ROUTES,
        keys: { registry: { url, token: registry.tokens.gate, gate: "gate1", usage: { interval: "1s" } } },
        ...config,
      },
    });
    const started = await startGate({ configFile, env: {}, logTarget: folder.file("gate.log") });
    if (!started.ok) throw new Error(started.faults.map(formatFault).join("\n"));
    cleanUp.move();
    return new KeyDeskScene({ registry, upstream, gate: started.gate }, folder);
  }

  /** Made in the registry, and known to the gate. */
  async makeKey(fields: object = {}): Promise<MadeKey> {
    const key = await this.registry.makeKey({ environment: "live", scopes: ["admin"], ...fields });
    noteSecret(key.secret, key.id);
    await waitFor(`the gate to know ${key.id}`, async () => (await this.status(key)) !== 401);
    return key;
  }

  async status({ secret }: Pick<MadeKey, "secret">): Promise<number> {
    return (await ask(`${this.gate.proxyUrl}/v1/me`, { key: secret })).status;
  }

  /** `POST /v1/account/api-keys` and so on. */
  async call(key: Pick<MadeKey, "secret">, request: string, call: DeskCall = {}): Promise<Answer> {
    const [method = "", path = ""] = request.split(" ");
    const { json, body, headers, ...rest } = call;
    const sent = json === undefined ? body : JSON.stringify(json);
    return await ask(this.gate.proxyUrl + path, {
      ...rest,
      method,
      key: key.secret,
      headers: { ...(json !== undefined && { "content-type": "application/json" }), ...headers },
      ...(sent !== undefined && { body: sent }),
    });
  }

  /** The secret of what a call has made; kept out of every log from now on. */
  made(answer: Answer): MadeKey {
    const key = answer.json() as MadeKey;
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
    noteSecret(key.secret, key.id);
    return key;
  }

  log(): readonly LogLine[] {
    return linesOf(readFileSync(this.#folder.file("gate.log"), "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate.close();
    const log = readFileSync(this.#folder.file("gate.log"), "utf8");
    const audit = await this.registry.call("GET /v1/audit?limit=200");
    await this.registry[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
    assertNoSecretIn(log, "the log of the gate");
    assertNoSecretIn(audit.text, "the audit log");
  }
}
