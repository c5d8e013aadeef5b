/** SIGTERM: what was admitted is finished, nothing new is taken, and the process ends in time. */
import { describe, expect, test } from "vitest";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { startLightLoad } from "../support/light-load.ts";
import { type RawConnection, type RawUpstream, answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();

interface Scene {
  readonly upstream: RawUpstream;
  readonly gate: GateProcess;
  /** The upstream's side of the request that it holds. */
  readonly held: RawConnection[];
}

/** An upstream that answers when told to, and a gate process before it. */
async function startScene(
  stack: AsyncDisposableStack,
  config: Readonly<Record<string, unknown>>,
): Promise<Scene> {
  const held: RawConnection[] = [];
  const upstream = stack.use(
    await startRawUpstream({ onMessage: (_message, connection) => held.push(connection) }),
  );
  const folder = stack.use(await makeTempFolder());
  const files = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key], config });
  const gate = stack.use(await startGateProcess(files.configFile));
  return { upstream, gate, held };
}

async function refusesConnections(url: string): Promise<boolean> {
  const error: unknown = await ask(url).catch((reason: unknown) => reason);
  return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
}

describe.each([1, 2])("a gate of %i worker(s)", (workers) => {
  test("finishes a slow request, refuses new connections meanwhile, and exits with 0", async () => {
    await using stack = new AsyncDisposableStack();
    const { gate, held } = await startScene(stack, { workers, shutdown_grace: "20s" });
    const slow = ask(`${gate.url}/v1/memories`, { key: key.secret });
    await waitFor("the request at the upstream", () => held.length === 1);
    gate.child.kill("SIGTERM");
    await waitFor("new connections to be refused", async () => await refusesConnections(gate.url));
    expect(gate.child.exit).toBeUndefined();
    held[0]?.send(answerOf(200, "worth waiting for"));
    const answer = await slow;
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("worth waiting for");
    expect(answer.headers.connection).toBe("close");
    expect(await gate.child.ended(5000)).toEqual({ code: 0, signal: null });
  });

  test("cuts what outlasts the grace period and still exits in order", async () => {
    await using stack = new AsyncDisposableStack();
    const { gate, held } = await startScene(stack, { workers, shutdown_grace: "1s" });
    const endless = ask(`${gate.url}/v1/memories`, { key: key.secret });
    endless.catch(() => undefined);
    await waitFor("the request at the upstream", () => held.length === 1);
    const startedMs = performance.now();
    expect((await gate.stop(10_000)).code).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    await expect(endless).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("loses nothing under load: every request is answered or was never taken", async () => {
    await using stack = new AsyncDisposableStack();
    const upstream = stack.use(await startEchoUpstream());
    const folder = stack.use(await makeTempFolder());
    const files = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: [key],
      config: { workers },
    });
    const gate = stack.use(await startGateProcess(files.configFile));
    const load = stack.use(startLightLoad(`${gate.url}/v1/memories`, { key: key.secret }));
    await waitFor("some load", () => load.requests > 50);
    gate.child.kill("SIGTERM");
    await gate.child.ended(10_000);
    const { requests, failures } = await load.stop();
    // Whatever reached the upstream was answered whole, so all other requests are safe to try elsewhere.
    expect(requests - failures.length).toBe(upstream.seen.length);
    // Refused; or reset, where the system had the connection in the queue of the socket that closed.
    expect(failures.filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure))).toEqual([]);
  });
});

test("is not ready at once, and goes on serving until load balancers had time to notice", async () => {
  await using stack = new AsyncDisposableStack();
  const { gate, held } = await startScene(stack, { shutdown_delay: "1500ms" });
  expect((await ask(`${gate.opsUrl}/readyz`)).status).toBe(200);
  gate.child.kill("SIGTERM");
  await waitFor("not ready", async () => (await ask(`${gate.opsUrl}/readyz`)).status === 503, {
    deadlineMs: 1000,
  });
  const late = ask(`${gate.url}/v1/memories`, { key: key.secret });
  await waitFor("a request in the meantime", () => held.length === 1);
  held[0]?.send(answerOf(200, "tea"));
  expect((await late).status).toBe(200);
  expect((await gate.child.ended(10_000)).code).toBe(0);
});

test("a second SIGTERM ends it at once", async () => {
  await using stack = new AsyncDisposableStack();
  const { gate, held } = await startScene(stack, { shutdown_grace: "1m" });
  ask(`${gate.url}/v1/memories`, { key: key.secret }).catch(() => undefined);
  await waitFor("the request at the upstream", () => held.length === 1);
  gate.child.kill("SIGTERM");
  await waitFor("new connections to be refused", async () => await refusesConnections(gate.url));
  gate.child.kill("SIGTERM");
  expect((await gate.child.ended(5000)).code).toBe(1);
});
