/** What the upstream is told besides what the client said: where it came from, who is calling, under which id. */
import { expect, test } from "vitest";
import { type Echo, type EchoUpstream, startEchoUpstream } from "../../support/echo-upstream.ts";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { valuesOf } from "../../support/gate-scene.ts";
import { type Asked, ask } from "../../support/http-client.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";

interface Scene extends AsyncDisposable {
  readonly upstream: EchoUpstream;
  readonly gate: TestGate;
  readonly key: KeyFixture;
  /** What the upstream saw. */
  see(path: string, asked?: Asked): Promise<Echo>;
}

async function startScene(
  configFor: (upstreamUrl: string) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<Scene> {
  const upstream = await startEchoUpstream();
  const key = makeKey();
  const gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: configFor(upstream.url),
  });
  return {
    upstream,
    gate,
    key,
    async see(path, asked = {}) {
      const answer = await ask(gate.url + path, { key: key.secret, ...asked });
      expect(answer.status).toBe(200);
      return answer.json() as Echo;
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

test("the upstream learns who is calling, and not the client's key", async () => {
  await using scene = await startScene();
  const echo = await scene.see("/v1/memories?q=tea%20time");
  expect(echo.url).toBe("/v1/memories?q=tea%20time");
  expect(valuesOf(echo.rawHeaders, "x-org-id")).toEqual(["org_acme"]);
  expect(valuesOf(echo.rawHeaders, "x-project-id")).toEqual(["proj_tech"]);
  expect(valuesOf(echo.rawHeaders, "x-environment")).toEqual(["live"]);
  expect(valuesOf(echo.rawHeaders, "x-key-id")).toEqual([scene.key.record.id]);
  expect(JSON.stringify(echo)).not.toContain(scene.key.secret);
});

test("the upstream's own host name stands in Host, unless the client's was asked for", async () => {
  await using own = await startScene();
  const headers = { host: "memories.example" };
  const seen = await own.see("/v1/memories", { headers });
  expect(valuesOf(seen.rawHeaders, "host")).toEqual([new URL(own.upstream.url).host]);
  expect(valuesOf(seen.rawHeaders, "x-forwarded-host")).toEqual(["memories.example"]);

  await using passed = await startScene((url) => ({ upstreams: { default: { url, host: "client" } } }));
  const kept = await passed.see("/v1/memories", { headers });
  expect(valuesOf(kept.rawHeaders, "host")).toEqual(["memories.example"]);
});

test("the backend's own credential takes the place of the client's key", async () => {
  await using scene = await startScene((url) => ({
    upstreams: {
      default: { url, auth: { header: "Authorization", scheme: "Token", value: "backend-secret" } },
    },
  }));
  const echo = await scene.see("/v1/memories");
  expect(valuesOf(echo.rawHeaders, "authorization")).toEqual(["Token backend-secret"]);
});

test("a client cannot say where it comes from; a trusted proxy can, and is added to", async () => {
  const claimed = {
    "x-forwarded-for": "198.51.100.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "public.example",
  };
  await using direct = await startScene();
  const doubted = await direct.see("/v1/memories", { headers: claimed });
  expect(valuesOf(doubted.rawHeaders, "x-forwarded-for")).toEqual(["127.0.0.1"]);
  expect(valuesOf(doubted.rawHeaders, "x-forwarded-proto")).toEqual(["http"]);
  expect(valuesOf(doubted.rawHeaders, "x-forwarded-host")).toEqual([new URL(direct.gate.url).host]);

  await using behind = await startScene(() => ({ trusted_proxies: ["127.0.0.0/8"] }));
  const believed = await behind.see("/v1/memories", { headers: claimed });
  expect(valuesOf(believed.rawHeaders, "x-forwarded-for")).toEqual(["198.51.100.7, 127.0.0.1"]);
  expect(valuesOf(believed.rawHeaders, "x-forwarded-proto")).toEqual(["https"]);
  expect(valuesOf(believed.rawHeaders, "x-forwarded-host")).toEqual(["public.example"]);
});

test("a route for some networks judges by the address that a trusted proxy vouches for", async () => {
  await using scene = await startScene(() => ({
    trusted_proxies: ["127.0.0.1"],
    routes: [{ path: "/v1/memories", scopes: ["read"], networks: ["198.51.100.0/24"] }],
  }));
  const from = async (address: string): Promise<number> => {
    const headers = { "x-forwarded-for": address };
    return (await ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret, headers })).status;
  };
  expect(await from("198.51.100.7")).toBe(200);
  expect(await from("203.0.113.9")).toBe(403);
  // What stands left of the first untrusted hop is the client's own invention.
  expect(await from("198.51.100.7, 203.0.113.9")).toBe(403);
});

test("Via names the gate behind those before it, and a request that came round is refused", async () => {
  await using scene = await startScene();
  const echo = await scene.see("/v1/memories", { headers: { via: "1.1 edge" } });
  expect(valuesOf(echo.rawHeaders, "via")).toEqual(["1.1 edge, 1.1 keyward"]);
  const round = await ask(`${scene.gate.url}/v1/memories`, {
    key: scene.key.secret,
    headers: { via: "1.1 keyward" },
  });
  expect(round.status).toBe(508);
});

test("client, upstream and access log know a request by the same fresh id", async () => {
  await using scene = await startScene();
  const answer = await ask(`${scene.gate.url}/v1/memories`, {
    key: scene.key.secret,
    headers: { "x-request-id": "chosen-by-client" },
  });
  const [sent] = valuesOf((answer.json() as Echo).rawHeaders, "x-request-id");
  expect(sent).not.toBe("chosen-by-client");
  expect(answer.headers["x-request-id"]).toBe(sent);
  await scene.gate.running.close();
  expect(scene.gate.log().map((line) => line["request_id"])).toContain(sent);
});

test("the access log names the client that a trusted proxy names, whatever becomes of the request", async () => {
  await using scene = await startScene(() => ({ trusted_proxies: ["127.0.0.1", "::1", "10.0.0.0/8"] }));
  const { gate, key } = scene;
  const from = (forwarded: string): Asked => ({ headers: { "x-forwarded-for": forwarded } });
  await ask(`${gate.url}/v1/memories`, { key: key.secret, ...from("203.0.113.1, 198.51.100.1, 10.0.0.2") });
  await ask(`${gate.url}/v1/memories`, { key: "mem_live_guessed", ...from("198.51.100.2") });
  await ask(`${gate.url}/v1/a%00b`, from("198.51.100.3"));
  await ask(`${gate.url}/v1/memories`, from("unknown"));
  await gate.running.close();
  const clients = gate.log().flatMap((line) => (line["msg"] === "request" ? [line["client_ip"]] : []));
  expect(clients).toEqual(["198.51.100.1", "198.51.100.2", "198.51.100.3", "127.0.0.1"]);
});

test("the access log believes nobody else about the client", async () => {
  await using scene = await startScene();
  await scene.see("/v1/memories", { headers: { "x-forwarded-for": "198.51.100.1" } });
  await scene.gate.running.close();
  const clients = scene.gate.log().flatMap((line) => (line["msg"] === "request" ? [line["client_ip"]] : []));
  expect(clients).toEqual(["127.0.0.1"]);
});
