/**
 * A registry on a free port over a fresh SQLite file, with a token of each role. Every answer that
 * its client sees is held against the OpenAPI document.
 */
import type { FastifyInstance } from "fastify";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { KeyFormatOptions } from "../../src/keys/format.ts";
import type { ConsoleOptions } from "../../src/registry/console/console.ts";
import type { AnsweredRequest } from "../../src/registry/http-server.ts";
import { openStore } from "../../src/registry/open-store.ts";
import { type RegistryOptions, RegistryServer } from "../../src/registry/server.ts";
import type { Store, TokenRole } from "../../src/registry/store.ts";
import { makeToken, tokenAudit } from "../../src/registry/token.ts";
import type { Answer, Asked } from "./http-client.ts";
import { ask } from "./http-client.ts";
import { assertNoSecretIn, noteSecret } from "./known-secrets.ts";
import { expectDocumented } from "./openapi.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";

export type Role = TokenRole;

export interface Call extends Omit<Asked, "body" | "key"> {
  readonly role?: Role;
  /** Any token; goes before the role's. */
  readonly token?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Buffer;
}

export interface RegistryScene extends AsyncDisposable {
  readonly url: string;
  readonly store: Store;
  readonly server: RegistryServer;
  readonly folder: TempFolder;
  readonly databaseFile: string;
  readonly tokens: Readonly<Record<Role, string>>;
  /** What the server noted of each request. */
  readonly answered: readonly AnsweredRequest[];
  /** What went wrong inside. */
  readonly faults: readonly string[];
  /** `GET /v1/api-keys` and so on; an operator's token unless told. */
  call(request: string, call?: Call): Promise<Answer>;
  /** Makes a key; returns the parsed answer. */
  makeKey(fields?: object): Promise<MadeKey>;
}

export interface MadeKey {
  readonly id: string;
  readonly secret: string;
  readonly [field: string]: unknown;
}

export interface SceneOptions {
  readonly clock?: Clock;
  readonly storage?: string;
  readonly keyFormat?: KeyFormatOptions;
  readonly options?: Partial<Omit<RegistryOptions, "gateApi">>;
  readonly gateApi?: Partial<RegistryOptions["gateApi"]>;
  readonly extend?: (app: FastifyInstance) => void;
  /** None without it. */
  readonly console?: ConsoleOptions;
  /** Stands between the server and its store. */
  readonly wrap?: (store: Store) => Store;
}

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** The defaults of the config, but quick. */
function optionsFor({ options, gateApi, keyFormat }: SceneOptions): RegistryOptions {
  return {
    keyFormat,
    bodyBytesMax: 1024 * 1024,
    connectionsMax: 1000,
    pageMax: 200,
    failuresMax: 1000,
    trustedProxies: [],
    pollMs: 50,
    retention: { usageMs: 400 * DAY_MS, auditMs: 365 * DAY_MS, changes: 100_000 },
    delegation: {
      scopes: new Map([["admin", ["read", "write", "delete"]]]),
      keys: ["admin"],
      usage: ["admin"],
      environments: new Map([["live", ["test"]]]),
      keysMax: 1000,
    },
    ...options,
    gateApi: {
      heartbeatMs: 200,
      silenceMaxMs: 3 * SECOND_MS,
      longPollMaxMs: 30 * SECOND_MS,
      streamsMax: 100,
      snapshotsMax: 8,
      stallMs: 10 * SECOND_MS,
      foundTtl: 60,
      unknownTtl: 5,
      ...gateApi,
    },
  };
}

export async function startRegistry(sceneOptions: SceneOptions = {}): Promise<RegistryScene> {
  const { clock = systemClock, storage, wrap = (store) => store } = sceneOptions;
  await using cleanUp = new AsyncDisposableStack();
  const folder = cleanUp.use(await makeTempFolder());
  const databaseFile = folder.file("registry.db");
  const store = cleanUp.adopt(await openStore(storage ?? databaseFile), (it) => it.close());
  await store.migrate();
  const answered: AnsweredRequest[] = [];
  const faults: string[] = [];
  const server = cleanUp.adopt(
    new RegistryServer({
      store: wrap(store),
      clock,
      random: systemRandom,
      options: optionsFor(sceneOptions),
      onAnswered: (request) => void answered.push(request),
      onUsage: () => undefined,
      ...(sceneOptions.extend !== undefined && { extend: sceneOptions.extend }),
      ...(sceneOptions.console !== undefined && { console: sceneOptions.console }),
      onFault: (message, error) => void faults.push(`${message}: ${String(error)}`),
    }),
    (it) => it.close(SECOND_MS),
  );
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}`;
  const tokens = await makeTokens(store, clock);
  const call = async (
    request: string,
    { role = "operator", token, json, body, headers, ...rest }: Call = {},
  ) => {
    const [method = "GET", path = "/"] = request.split(" ");
    const sent = json === undefined ? body : JSON.stringify(json);
    const answer = await ask(url + path, {
      ...rest,
      method,
      headers: { ...(json !== undefined && { "content-type": "application/json" }), ...headers },
      ...(sent !== undefined && { body: sent }),
      key: token ?? tokens[role],
    });
    expectDocumented(method, path, answer);
    return answer;
  };
  const kept = cleanUp.move();
  return {
    url,
    store,
    server,
    folder,
    databaseFile,
    tokens,
    answered,
    faults,
    call,
    async makeKey(fields = {}) {
      const answer = await call("POST /v1/api-keys", { json: { organization: "org_acme", ...fields } });
      if (answer.status !== 201) throw new Error(`no key was made: ${answer.text}`);
      const made = answer.json() as MadeKey;
      noteSecret(made.secret, made.id);
      return made;
    },
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync();
      assertNoSecretIn(JSON.stringify({ answered, faults }), "what the registry noted");
    },
  };
}

async function makeTokens(store: Store, clock: Clock): Promise<Record<Role, string>> {
  const tokens = { gate: "", viewer: "", operator: "", admin: "" };
  for (const role of ["gate", "viewer", "operator", "admin"] as const) {
    const made = makeToken({ name: `test ${role}`, role, expiresAt: undefined }, clock.now(), systemRandom);
    const actor = { kind: "cli", id: "test", address: undefined } as const;
    await store.putToken(made.record, made.digest, tokenAudit("token.create", made.record, actor));
    noteSecret(made.secret, role);
    tokens[role] = made.secret;
  }
  return tokens;
}
