/** Which upstream a request goes to, and by which kind of address. */
import { expect, test } from "vitest";
import { type Echo, startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeKey } from "../../support/fixtures.ts";
import { valuesOf } from "../../support/gate-scene.ts";
import { ask } from "../../support/http-client.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { startTestGate } from "../../support/test-gate.ts";

test("a route names its upstream, or one for each environment of the key", async () => {
  await using shared = await startEchoUpstream();
  await using live = await startEchoUpstream();
  await using trial = await startEchoUpstream();
  const keys = {
    live: makeKey({ environment: "live" }),
    test: makeKey({ environment: "test" }),
    none: makeKey({ environment: "live", secret: `mem_live_${"x".repeat(40)}` }),
  };
  await using gate = await startTestGate({
    upstreamUrl: shared.url,
    keys: [keys.live, keys.test],
    config: {
      upstreams: {
        default: { url: shared.url },
        live: { url: live.url, auth: { header: "x-backend", value: "live-secret" } },
        trial: { url: trial.url },
      },
      routes: [
        { path: "/shared" },
        { path: "/v1/memories/**", upstream: { live: "live", test: "trial" } },
        { path: "/only-live", upstream: { live: "live" } },
      ],
    },
  });
  const go = async (path: string, key: string) => await ask(gate.url + path, { key });
  expect((await go("/shared", keys.live.secret)).status).toBe(200);
  const answer = await go("/v1/memories/1", keys.live.secret);
  expect(valuesOf((answer.json() as Echo).rawHeaders, "x-backend")).toEqual(["live-secret"]);
  expect((await go("/v1/memories/2", keys.test.secret)).status).toBe(200);
  expect((await go("/only-live", keys.test.secret)).status).toBe(403);
  expect(shared.seen).toEqual(["GET /shared"]);
  expect(live.seen).toEqual(["GET /v1/memories/1"]);
  expect(trial.seen).toEqual(["GET /v1/memories/2"]);
});

test("an upstream on a unix socket gets requests and bodies", async () => {
  await using folder = await makeTempFolder();
  await using upstream = await startEchoUpstream({ socketPath: folder.file("backend.sock") });
  const key = makeKey();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const answer = await ask(`${gate.url}/v1/memories`, { method: "POST", body: "tea", key: key.secret });
  expect(answer.status).toBe(200);
  const echo = answer.json() as Echo;
  expect(echo.body).toBe("tea");
  expect(valuesOf(echo.rawHeaders, "host")).toEqual(["localhost"]);
});

test("an upstream that is not there is 502, and the log names why", async () => {
  await using folder = await makeTempFolder();
  const key = makeKey();
  const closed = await startEchoUpstream();
  await closed[Symbol.asyncDispose]();
  for (const [url, reason] of [
    [closed.url, "ECONNREFUSED"],
    [`unix:${folder.file("nobody.sock")}`, "ENOENT"],
  ] as const) {
    await using gate = await startTestGate({ upstreamUrl: url, keys: [key] });
    const answer = await ask(`${gate.url}/v1/memories`, { key: key.secret });
    expect(answer.status).toBe(502);
    expect(answer.text).not.toContain(reason);
    await gate.running.close();
    expect(gate.log().some((line) => line["reason"] === "upstream_unreachable")).toBe(true);
  }
});
