/** `/probe/<name>` on the operations port: the health of a backend that only the gate can reach. */
import { expect, test } from "vitest";
import { makeKey, writeGateFiles } from "../../support/fixtures.ts";
import { startGateProcess } from "../../support/gate-process.ts";
import { ask } from "../../support/http-client.ts";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const PROBES = {
  livez: { path: "/status/200" },
  readyz: { path: "/status/503" },
  stalled: { path: "/stall" },
};

test.each([1, 2])(
  "a gate of %i worker(s) tells the status of the backend's answer and nothing else",
  async (workers) => {
    await using upstream = await startEchoUpstream();
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: [makeKey()],
      config: { workers, ops: { host: "127.0.0.1", port: 0, probes: PROBES } },
    });
    await using gate = await startGateProcess(configFile);
    const probe = (name: string, method = "GET") => ask(`${gate.opsUrl}/probe/${name}`, { method });
    const good = await probe("livez");
    expect([good.status, good.text]).toEqual([200, "200\n"]);
    const bad = await probe("readyz");
    expect([bad.status, bad.text]).toEqual([503, "503\n"]);
    expect((await probe("stalled")).status).toBe(504);
    const seen = upstream.seen.length;
    // Only what the config names is asked: no path, no query, no method of the caller's.
    for (const name of ["other", "livez/../../v1/memories", "livez%2f", ""])
      expect((await probe(name)).status).toBe(404);
    expect((await probe("livez", "POST")).status).toBe(404);
    expect((await ask(`${gate.opsUrl}/probe/livez?path=/v1/memories`)).status).toBe(200);
    expect(upstream.seen.slice(seen)).toEqual([expect.stringContaining("/status/200")]);
  },
);

test("a probe of an upstream that there is not is a fault of the config", async () => {
  await using folder = await makeTempFolder();
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:1",
    keys: [makeKey()],
    config: { ops: { port: 0, probes: { livez: { path: "/healthz", upstream: "defualt" } } } },
  });
  await expect(startGateProcess(configFile)).rejects.toThrow('no such upstream; did you mean "default"?');
});
