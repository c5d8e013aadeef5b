/** A gate and Keyward's own registry, as processes: what is done in the one counts in the other. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { UsageBatch } from "../../src/keys/wire.ts";
import { type EchoUpstream, startEchoUpstream } from "../support/echo-upstream.ts";
import { writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { type Answer, type Asked, ask } from "../support/http-client.ts";
import { lastingPort } from "../support/listening.ts";
import { type RegistryProcess, startRegistryProcess } from "../support/registry-process.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

interface Key {
  readonly id: string;
  readonly secret: string;
}

interface Propagated {
  readonly propagation: {
    readonly complete: boolean;
    readonly gates: readonly { readonly gate: string; readonly applied: boolean }[];
  };
}

const ADMIN = `admin-${randomBytes(16).toString("hex")}`;
const GATE = `gate-${randomBytes(16).toString("hex")}`;
const TOKENS = { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN, KEYWARD_REGISTRY_GATE_TOKEN: GATE };

/** Both processes on free ports, and what is between them. */
class Pair implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly upstream: EchoUpstream;
  readonly #port: number;
  registry: RegistryProcess;
  gates: GateProcess[] = [];

  private constructor(folder: TempFolder, upstream: EchoUpstream, registry: RegistryProcess) {
    this.folder = folder;
    this.upstream = upstream;
    this.registry = registry;
    this.#port = Number(new URL(registry.url).port);
  }

  static async start(
    gates: number,
    options: Record<string, unknown> = {},
    config: Record<string, unknown> = {},
  ): Promise<Pair> {
    const folder = await makeTempFolder();
    const registry = await startRegistryProcess(folder, REGISTRY, TOKENS, await lastingPort());
    const pair = new Pair(folder, await startEchoUpstream(), registry);
    for (let index = 1; index <= gates; index++) await pair.startGate(`gate${index}`, options, config);
    return pair;
  }

  async startGate(
    name: string,
    options: Record<string, unknown> = {},
    config: Record<string, unknown> = {},
  ): Promise<GateProcess> {
    const folder: TempFolder = {
      ...this.folder,
      write: (file, content) => this.folder.write(`${name}/${file}`, content),
    };
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: this.upstream.url,
      config: {
        keys: {
          registry: {
            url: `http://127.0.0.1:${this.#port}`,
            token: GATE,
            gate: name,
            usage: { interval: "1s" },
            ...options,
          },
        },
        ...config,
      },
    });
    const gate = await startGateProcess(configFile);
    this.gates.push(gate);
    return gate;
  }

  async stopRegistry(): Promise<void> {
    await this.registry.stop();
  }

  async restartRegistry(): Promise<void> {
    this.registry = await startRegistryProcess(this.folder, REGISTRY, TOKENS, this.#port);
  }

  async manage(request: string, content?: object): Promise<Answer> {
    const [method = "", path = ""] = request.split(" ");
    const body = content === undefined ? {} : { body: JSON.stringify(content) };
    const asked: Asked = { method, key: ADMIN, headers: { "content-type": "application/json" }, ...body };
    return await ask(`${this.registry.url}${path}`, asked);
  }

  async makeKey(fields: object = {}): Promise<Key> {
    const answer = await this.manage("POST /v1/api-keys", {
      name: "Test",
      organization: "org_acme",
      environment: "live",
      scopes: ["read", "write"],
      ...fields,
    });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.json() as Key;
  }

  async revoke(key: Key): Promise<Propagated> {
    const answer = await this.manage(`DELETE /v1/api-keys/${key.id}?wait=5s`);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer.json() as Propagated;
  }

  async status(key: Key, gate: GateProcess | undefined = this.gates[0]): Promise<number> {
    return (await ask(`${gate?.url}/v1/memories`, { key: key.secret })).status;
  }

  async until(key: Key, status: number, gate?: GateProcess): Promise<void> {
    await waitFor(`${status} for ${key.id}`, async () => (await this.status(key, gate)) === status, {
      everyMs: 2,
    });
  }

  /** Requests and refusals that the registry has counted. */
  async usage(key: Key): Promise<{ requests: number; denied: number }> {
    const points = (await this.manage(`GET /v1/api-keys/${key.id}/usage`)).json() as {
      readonly items: readonly { readonly requests: number; readonly denied: number }[];
    };
    const sum = { requests: 0, denied: 0 };
    for (const { requests, denied } of points.items) {
      sum.requests += requests;
      sum.denied += denied;
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of this.gates) await gate[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** What a gate has kept that the registry does not have yet. */
async function spooledRequests(file: string): Promise<number> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  const batches = lines.map((line) => JSON.parse(line.slice(line.indexOf("{"))) as UsageBatch);
  return batches.flatMap(({ items }) => items).reduce((sum, { requests }) => sum + requests, 0);
}

const REGISTRY = "key_format: { prefix: mem, environments: [live, test] }\ngates: { heartbeat: 500ms }\n";

test("a key is made, used, revoked and refused by every gate within a second", async () => {
  const REVOCATIONS = 30;
  await using pair = await Pair.start(2);
  const delaysMs: number[] = [];
  for (let round = 0; round < REVOCATIONS; round++) {
    const key = await pair.makeKey();
    for (const gate of pair.gates) await pair.until(key, 200, gate);
    const startedMs = performance.now();
    const { propagation } = await pair.revoke(key);
    delaysMs.push(performance.now() - startedMs);
    expect(propagation).toMatchObject({ complete: true, gates: [{ applied: true }, { applied: true }] });
    // It answered: so every gate refuses it now, at the first try.
    expect(await Promise.all(pair.gates.map((gate) => pair.status(key, gate)))).toEqual([401, 401]);
  }
  const sorted = delaysMs.toSorted((a, b) => a - b);
  const [p50, max] = [sorted[REVOCATIONS / 2] ?? 0, sorted.at(-1) ?? 0];
  process.stderr.write(
    `revoked in all gates: p50 ${p50.toFixed(1)} ms, max ${max.toFixed(1)} ms of ${REVOCATIONS}\n`,
  );
  expect(max).toBeLessThan(1000);
});

test("rotation: the old key is warned for the overlap; finished, it is refused", async () => {
  await using pair = await Pair.start(1);
  const old = await pair.makeKey();
  await pair.until(old, 200);
  const rotated = await pair.manage(`POST /v1/api-keys/${old.id}/rotate`, { overlap: "1h" });
  const successor = rotated.json() as Key;
  await pair.until(successor, 200);
  const warned = await waitFor("the warning", async () => {
    const answer = await ask(`${pair.gates[0]?.url}/v1/memories`, { key: old.secret });
    return answer.headers["deprecation"] === undefined ? undefined : answer;
  });
  expect(warned.headers["deprecation"]).toMatch(/^@\d{10}$/);
  expect(Date.parse(String(warned.headers["sunset"])) - Date.now()).toBeGreaterThan(3_500_000);
  expect((await pair.manage(`POST /v1/api-keys/${old.id}/rotate/finish`)).status).toBe(200);
  await pair.until(old, 401);
  expect(await pair.status(successor)).toBe(200);
});

test("the registry restarts: nobody valid is refused, nobody revoked gets in, all catches up", async () => {
  await using pair = await Pair.start(1);
  const [kept, revoked] = [await pair.makeKey(), await pair.makeKey()];
  for (const key of [kept, revoked]) await pair.until(key, 200);
  await pair.revoke(revoked);
  await pair.stopRegistry();
  const seen = new Set<number>();
  const endMs = performance.now() + 1500;
  while (performance.now() < endMs) {
    seen.add(await pair.status(kept));
    expect(await pair.status(revoked)).toBe(401);
    await delay(20);
  }
  expect([...seen]).toEqual([200]);
  expect(await pair.status({ id: "none", secret: `mem_live_${"x".repeat(40)}` })).toBe(503);
  await pair.restartRegistry();
  const fresh = await pair.makeKey();
  await pair.until(fresh, 200);
  const startedMs = performance.now();
  await pair.revoke(kept);
  expect(await pair.status(kept)).toBe(401);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test("a gate starts from its snapshot file while the registry is down", async () => {
  await using pair = await Pair.start(0);
  const options = { snapshot_file: pair.folder.file("snapshot.ndjson") };
  const gate = await pair.startGate("gate1", options);
  const [kept, revoked] = [await pair.makeKey(), await pair.makeKey()];
  for (const key of [kept, revoked]) await pair.until(key, 200, gate);
  await pair.revoke(revoked);
  // At any moment, as a machine dies.
  gate.child.kill("SIGKILL");
  await gate.child.ended();
  await pair.stopRegistry();
  const next = await pair.startGate("gate1", options);
  expect([await pair.status(kept, next), await pair.status(revoked, next)]).toEqual([200, 401]);
  expect(await pair.status({ id: "none", secret: `mem_live_${"y".repeat(40)}` }, next)).toBe(503);
  await pair.restartRegistry();
  const fresh = await pair.makeKey();
  await pair.until(fresh, 200, next);
});

test("usage in the registry is what was sent, although the gate was killed and the registry restarted", async () => {
  await using pair = await Pair.start(0);
  const options = { usage: { interval: "1s", spool_file: pair.folder.file("usage.spool") } };
  const gate = await pair.startGate("gate1", options);
  const [reader, other] = [await pair.makeKey({ scopes: ["read"] }), await pair.makeKey()];
  await pair.until(reader, 200, gate);
  await pair.until(other, 200, gate);
  const sent = { requests: 1, denied: 0 };
  const send = async (count: number, from: GateProcess): Promise<void> => {
    for (let index = 0; index < count; index++) {
      await ask(`${from.url}/v1/memories`, { key: reader.secret });
      await ask(`${from.url}/v1/memories/1`, { key: reader.secret, method: "DELETE" });
    }
    sent.requests += count;
    sent.denied += count;
  };
  await send(40, gate);
  await waitFor("usage", async () => (await pair.usage(reader)).requests === sent.requests);
  await pair.stopRegistry();
  await send(25, gate);
  await waitFor("the spool", async () => (await spooledRequests(pair.folder.file("usage.spool"))) === 25);
  gate.child.kill("SIGKILL");
  await gate.child.ended();
  await pair.restartRegistry();
  const next = await pair.startGate("gate1", options);
  await send(10, next);
  await next.stop();
  expect(await pair.usage(reader)).toEqual(sent);
});

test("several workers: each follows and reports under a name of its own", async () => {
  await using pair = await Pair.start(0);
  const options = {
    snapshot_file: pair.folder.file("snap"),
    usage: { interval: "1s", spool_file: pair.folder.file("spool") },
  };
  const gate = await pair.startGate("gate1", options, { workers: 2 });
  const key = await pair.makeKey();
  const revoked = await pair.makeKey();
  let asked = 0;
  await waitFor("both workers", async () => {
    asked++;
    const answers = await Promise.all(Array.from({ length: 8 }, () => pair.status(key, gate)));
    asked += answers.length - 1;
    return answers.every((status) => status === 200);
  });
  const { propagation } = await pair.revoke(revoked);
  const applied = Object.fromEntries(propagation.gates.map(({ gate, applied }) => [gate, applied]));
  expect(applied).toEqual({ "gate1:w1": true, "gate1:w2": true });
  const answers = await Promise.all(Array.from({ length: 20 }, () => pair.status(revoked, gate)));
  expect(new Set(answers)).toEqual(new Set([401]));
  const ready = await ask(`${gate.opsUrl}/readyz`);
  expect([ready.status, asked > 0]).toEqual([200, true]);
  expect((await ask(`${gate.opsUrl}/metrics`)).text).toMatch(/^keyward_registry_up 1$/m);
});
