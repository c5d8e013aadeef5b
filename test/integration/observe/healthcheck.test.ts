import { once } from "node:events";
import { type Server, createServer } from "node:net";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/healthcheck.ts";
import { writeGateFiles } from "../../support/fixtures.ts";
import { portOf } from "../../support/listening.ts";
import { startOpsScene } from "../../support/ops-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

/** Exit code and both outputs of one call. */
async function healthcheck(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await run(args, { stdout, stderr, env: {} });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

describe("keyward healthcheck", () => {
  test("exits 0 when the gate is ready", async () => {
    await using scene = await startOpsScene({ readiness: () => [{ name: "listening", ok: true }] });
    expect(await healthcheck("--url", `${scene.url}/readyz`)).toEqual({
      code: 0,
      stdout: "ready\n",
      stderr: "",
    });
  });

  test("exits 1 when it is not, and says what is missing", async () => {
    await using scene = await startOpsScene({ readiness: () => [{ name: "not_draining", ok: false }] });
    const { code, stderr } = await healthcheck("--url", `${scene.url}/readyz`);
    expect(code).toBe(1);
    expect(stderr).toContain("answered 503");
    expect(stderr).toContain('{"name":"not_draining","ok":false}');
  });

  test("exits 1 when nobody listens", async () => {
    const scene = await startOpsScene();
    await scene.server.close();
    const { code, stderr } = await healthcheck("--url", `${scene.url}/readyz`);
    expect(code).toBe(1);
    expect(stderr).toContain("ECONNREFUSED");
  });

  test("exits 1 within two seconds when nobody answers", async () => {
    const silent: Server = createServer((socket) => void socket.on("error", () => {}).resume()).listen(
      0,
      "127.0.0.1",
    );
    await once(silent, "listening");
    const startedMs = performance.now();
    const { code } = await healthcheck("--url", `http://127.0.0.1:${portOf(silent)}/readyz`);
    expect(code).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(4000);
    silent.close();
    await once(silent, "close");
  });

  test("finds the operations port in the config, also behind a wildcard address", async () => {
    await using scene = await startOpsScene();
    await using folder = await makeTempFolder();
    const config = { ops: { host: "0.0.0.0", port: scene.port } };
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: "http://127.0.0.1:1", config });
    expect(await healthcheck("--config", configFile)).toMatchObject({ code: 0 });
  });

  test("asks the registry where only its config lies, as in a container of the image", async () => {
    await using scene = await startOpsScene();
    await using folder = await makeTempFolder();
    await folder.write("registry.yaml", `ops: { host: 127.0.0.1, port: ${scene.port} }\n`);
    const gateConfig = folder.file("keyward.yaml");
    expect(await healthcheck("--config", gateConfig)).toMatchObject({ code: 0, stdout: "ready\n" });
    // A gate's config always comes first, and its faults are told.
    await folder.write("keyward.yaml", "opps: {}\n");
    expect(await healthcheck("--config", gateConfig)).toMatchObject({ code: 78 });
  });

  test("exits 78 when the config has faults, and shows them", async () => {
    await using folder = await makeTempFolder();
    const configFile = await folder.write("keyward.yaml", "opps: {}\n");
    const { code, stderr } = await healthcheck("--config", configFile);
    expect(code).toBe(78);
    expect(stderr).toContain("keyward.yaml:1:1");
  });

  test("exits 64 when it cannot know where to ask", async () => {
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: "http://127.0.0.1:1" });
    expect(await healthcheck("--config", configFile)).toMatchObject({ code: 64 });
    expect(await healthcheck("--url", "ftp://127.0.0.1/")).toMatchObject({ code: 64 });
  });
});
