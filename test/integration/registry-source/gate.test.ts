/** A gate that lives from a registry: readiness, reports, metrics, reload, certificates. */
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { portOf } from "../../support/listening.ts";
import { RegistryGate } from "../../support/registry-gate.ts";
import { CertificateAuthority } from "../../support/tls.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";

test("a gate that starts before its registry is not ready, answers 503 with Retry-After, and mends itself", async () => {
  const key = makeKey();
  await using gate = await RegistryGate.start({ keys: [key], prepare: (registry) => registry.down() });
  expect(await gate.isReady()).toBe(false);
  const refused = await gate.ask(key);
  expect([refused.status, Number(refused.headers["retry-after"]) >= 1]).toEqual([503, true]);
  expect(await gate.metrics()).toMatch(/^keyward_registry_up 0$/m);
  await gate.registry.up();
  await waitFor("the gate to be ready", () => gate.isReady());
  expect(await gate.status(key)).toBe(200);
  expect(await gate.metrics()).toMatch(/^keyward_registry_up 1$/m);
  const told = gate.log().map(({ msg }) => msg);
  expect(told).toContain("the registry cannot be used");
  expect(told).toContain("the registry is reached");
});

test("public routes are served without any keys", async () => {
  await using gate = await RegistryGate.start({ prepare: (registry) => registry.down() });
  expect((await gate.ask("none", "/health")).status).toBe(200);
});

test("a revocation is refused, and reported as applied, within a second", async () => {
  const keys = Array.from({ length: 20 }, () => makeKey());
  await using gate = await RegistryGate.start({ keys });
  const { registry } = gate;
  await registry.streaming();
  const reported: number[] = [];
  for (const key of keys) {
    expect(await gate.status(key)).toBe(200);
    const startedMs = performance.now();
    registry.revoke(key.record.digest);
    const { rev } = registry;
    await waitFor("the report", () => (registry.statuses.at(-1)?.rev ?? 0) >= rev, { everyMs: 1 });
    reported.push(performance.now() - startedMs);
    // Whoever was told so may rely on it.
    expect(await gate.status(key)).toBe(401);
  }
  expect(Math.max(...reported)).toBeLessThan(1000);
  expect(registry.statuses.at(-1)).toMatchObject({ gate: "gate1", epoch: "fake1", keys: 20 });
});

test("usage in the registry equals what was sent, by key, route and outcome", async () => {
  const keys = [makeKey(), makeKey({ scopes: ["read"] })] as const;
  await using gate = await RegistryGate.start({ keys });
  const send = (key: KeyFixture, path: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => gate.ask(key, path)));
  await send(keys[0], "/v1/memories", 30);
  await send(keys[1], "/v1/memories", 20);
  await send(keys[1], "/nowhere", 7);
  await send(keys[0], "/open/status/500", 3);
  await send(makeKey(), "/v1/memories", 5);
  await gate.gate.close();
  const sums = new Map<string, { requests: number; denied: number; errors: number }>();
  for (const { key_id, route, requests, denied, errors } of gate.registry.usage.flatMap(
    ({ items }) => items,
  )) {
    const sum = sums.get(`${key_id} ${route}`) ?? { requests: 0, denied: 0, errors: 0 };
    sum.requests += requests;
    sum.errors += errors;
    sum.denied += Object.values(denied).reduce((a, b) => a + b, 0);
    sums.set(`${key_id} ${route}`, sum);
  }
  const [first, second] = keys.map(({ record }) => record.id);
  expect(Object.fromEntries(sums)).toEqual({
    [`${first} /v1/memories/**`]: { requests: 30, denied: 0, errors: 0 },
    [`${second} /v1/memories/**`]: { requests: 20, denied: 0, errors: 0 },
    [`${second} _none`]: { requests: 0, denied: 7, errors: 0 },
    [`${first} /open/**`]: { requests: 3, denied: 0, errors: 0 },
  });
});

test("what a gate says of its registry stands in its metrics", async () => {
  const key = makeKey();
  await using gate = await RegistryGate.start({ keys: [key] });
  await gate.ask(key);
  await waitFor("usage", () => gate.registry.usage.length > 0);
  const metrics = await gate.metrics();
  for (const line of [
    /^keyward_registry_up 1$/m,
    /^keyward_registry_last_sync_timestamp_seconds 1\d{9}/m,
    /^keyward_registry_lag_seconds 0/m,
    /^keyward_registry_requests_total\{call="keys",result="ok"\} 1$/m,
    /^keyward_registry_usage_batches_total\{result="counted"\} 1$/m,
    /^keyward_registry_distrusted_total\{kind="record_refused"\} 0$/m,
    /^keyward_registry_held_keys 0$/m,
  ]) {
    expect(metrics).toMatch(line);
  }
});

const DEFAULT_MAX_STALE_MS = 10 * 60_000;

describe("reload", () => {
  async function change(
    gate: RegistryGate,
    alter: (registry: Record<string, unknown>, config: Record<string, unknown>) => void,
  ): Promise<void> {
    const file = gate.folder.file("keyward.yaml");
    const config = parse(await readFile(file, "utf8")) as { keys: { registry: Record<string, unknown> } };
    alter(config.keys.registry, config);
    await writeFile(file, stringify(config));
    const reloads = (): number => gate.log().filter(({ msg }) => msg === "reloaded").length;
    const before = reloads();
    gate.gate.reload("test");
    await waitFor("the reload", () => reloads() > before);
  }

  test("another token is used from then on, and no key is lost", async () => {
    const key = makeKey();
    await using gate = await RegistryGate.start({ keys: [key] });
    await change(gate, (registry) => (registry["token"] = "another-token"));
    expect(await gate.status(key)).toBe(200);
    const before = gate.registry.asked.length;
    await waitFor("another call", () => gate.registry.asked.length > before);
    const { headers } = gate.registry.asked.at(-1) ?? {};
    expect(headers?.authorization).toBe("Bearer another-token");
  });

  test("keys that were looked up serve on while the registry is away, as the new config says", async () => {
    const key = makeKey();
    const options = { mode: "lookup" };
    await using gate = await RegistryGate.start({ keys: [key], options });
    expect(await gate.status(key)).toBe(200);
    await gate.registry.down();
    await change(gate, (_registry, config) => (config["identity"] = { organization: "X-Tenant" }));
    const answer = await gate.ask(key);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"X-Tenant"')]);
    gate.clock.monotonicMs += DEFAULT_MAX_STALE_MS + 1000;
    expect(await gate.status(key)).toBe(503);
  });

  test("another registry needs a restart, and says so; the old one is followed on", async () => {
    const key = makeKey();
    await using gate = await RegistryGate.start({ keys: [key] });
    await change(gate, (registry) => (registry["url"] = "http://127.0.0.1:1"));
    expect(gate.log()).toContainEqual(
      expect.objectContaining({ msg: "a changed section needs a restart", section: "keys.registry" }),
    );
    gate.registry.revoke(key.record.digest);
    await waitFor("the revocation", async () => (await gate.status(key)) === 401);
  });

  test("a key file instead of a registry needs a restart: nobody loses a key by it", async () => {
    const key = makeKey();
    await using gate = await RegistryGate.start({ keys: [key] });
    const file = gate.folder.file("keyward.yaml");
    const config = parse(await readFile(file, "utf8")) as Record<string, unknown>;
    await writeFile(file, stringify({ ...config, keys: { file: "keys.yaml" } }));
    expect(gate.gate.reload("test")).toBe(true);
    expect(await gate.status(key)).toBe(200);
  });
});

test("no token, key or answer of the registry stands in the log or in an answer", async () => {
  const key = makeKey();
  await using gate = await RegistryGate.start({ keys: [key] });
  gate.registry.interfereAll((_, response) => {
    response.writeHead(500, { "x-secret": "s3cret-header" }).end("s3cret-body");
    return true;
  });
  gate.registry.cutStreams();
  await waitFor("the failure", () => gate.log().some(({ msg }) => msg === "the registry cannot be used"));
  const answer = await gate.ask(makeKey());
  const everything = JSON.stringify(gate.log()) + answer.text + (await gate.metrics());
  for (const secret of [gate.registry.token, key.secret, "s3cret"]) expect(everything).not.toContain(secret);
});

test("over TLS with a client certificate, and to nobody whose certificate is not right", async () => {
  const authority = new CertificateAuthority();
  const server = authority.issue("127.0.0.1");
  const client = authority.issue("gate");
  const key = makeKey();
  await using folder = await makeTempFolder();
  await using cleanUp = new AsyncDisposableStack();
  // Ends TLS in front of the fake registry, as a load balancer would.
  let registryPort = 0;
  const front = createServer({ ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
  front.on("secureConnection", (socket) => {
    const behind = connect(registryPort, "127.0.0.1");
    socket.pipe(behind).pipe(socket);
    for (const each of [socket, behind]) each.on("error", () => each.destroy());
  });
  front.removeAllListeners("request");
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  cleanUp.defer(() => void front.close());
  const files = {
    ca_file: await folder.write("ca.pem", authority.cert),
    cert_file: await folder.write("client.pem", client.cert),
    key_file: await folder.write("client-key.pem", client.key),
  };
  const start = (tls: Record<string, string> | undefined) =>
    RegistryGate.start({
      keys: [key],
      options: { url: `https://127.0.0.1:${portOf(front)}/v1/gate`, ...(tls === undefined ? {} : { tls }) },
      prepare: (registry) => void (registryPort = Number(new URL(registry.url).port)),
    });
  for (const [tls, status] of [
    [files, 200],
    [{ ca_file: files.ca_file }, 503],
    [{ ...files, server_name: "elsewhere.test" }, 503],
    [undefined, 503],
  ] as const) {
    await using gate = await start(tls);
    expect(await gate.status(key)).toBe(status);
  }
});
