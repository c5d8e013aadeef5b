/** Config and keys change while the gate works: nothing is lost, nothing half-read is used, nothing is missed. */
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { type KeyFixture, makeKey, writeGateFiles, writeKeys } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { startLightLoad } from "../support/light-load.ts";
import { readSeries } from "../support/metrics-text.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

async function statusFor(gate: GateProcess, key: KeyFixture): Promise<number> {
  return (await ask(`${gate.url}/v1/memories`, { key: key.secret })).status;
}

async function metric(gate: GateProcess, series: string): Promise<number | undefined> {
  return readSeries((await ask(`${gate.opsUrl}/metrics`)).text).get(series);
}

const LAST_RELOAD = "keyward_config_last_reload_successful";

describe.each([1, 2])("a gate of %i worker(s)", (workers) => {
  test("loses no request to reloads by signal, by changed keys and by a changed upstream", async () => {
    await using first = await startEchoUpstream();
    await using second = await startEchoUpstream();
    await using folder = await makeTempFolder();
    const key = makeKey();
    const fixture = { keys: [key], config: { workers } };
    const files = await writeGateFiles(folder, { upstreamUrl: first.url, ...fixture });
    await using gate = await startGateProcess(files.configFile);
    await using load = startLightLoad(`${gate.url}/v1/memories`, { key: key.secret });

    for (let i = 0; i < 10; i++) {
      const { requests } = load;
      gate.child.kill("SIGHUP");
      await waitFor("requests after the signal", () => load.requests > requests + 20);
    }
    const added = makeKey();
    await writeKeys(folder, [key, added]);
    await waitFor("the added key to be taken", async () => (await statusFor(gate, added)) === 200);

    await writeGateFiles(folder, { upstreamUrl: second.url, ...fixture });
    await waitFor("the new upstream to be used", () => second.seen.length > 50);
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(200);
  });

  test("says which changed sections need a restart", async () => {
    await using folder = await makeTempFolder();
    const fixture = { upstreamUrl: "http://127.0.0.1:1", keys: [makeKey()] };
    const { configFile } = await writeGateFiles(folder, { ...fixture, config: { workers } });
    await using gate = await startGateProcess(configFile);
    const log = { access: false };
    const bounds = { body: "1MiB" };
    await writeGateFiles(folder, { ...fixture, config: { workers, bounds, log } });
    const told = (): unknown[] =>
      gate.log.filter(({ msg }) => msg === "a changed section needs a restart").map(({ section }) => section);
    await waitFor("all to be told", () => told().length >= 2 * workers);
    expect(new Set(told())).toEqual(new Set(["bounds", "log.access"]));
  });

  test("keeps the old config when the new one is bad, says so, and takes a good one again", async () => {
    await using upstream = await startEchoUpstream();
    await using folder = await makeTempFolder();
    const key = makeKey();
    const fixture = { upstreamUrl: upstream.url, keys: [key], config: { workers } };
    const { configFile } = await writeGateFiles(folder, fixture);
    await using gate = await startGateProcess(configFile);
    expect(await metric(gate, LAST_RELOAD)).toBe(1);

    await writeFile(configFile, "upstreams: { default: { uri: nowhere } }\n");
    await waitFor("the metric to say so", async () => (await metric(gate, LAST_RELOAD)) === 0);
    expect(await statusFor(gate, key)).toBe(200);
    const refused = await waitFor("the log to say so", () => {
      return gate.log.find(({ level, msg }) => level === "error" && String(msg).includes("reload refused"));
    });
    expect(JSON.stringify(refused)).toContain("keyward.yaml:1:");

    const added = makeKey();
    await writeGateFiles(folder, { ...fixture, keys: [key, added] });
    await waitFor("the good config to be taken", async () => (await statusFor(gate, added)) === 200);
    await waitFor("the metric to say so", async () => (await metric(gate, LAST_RELOAD)) === 1);
  });
});

test("a key file that is being written half is not taken, and no request fails meanwhile", async () => {
  await using upstream = await startEchoUpstream();
  await using folder = await makeTempFolder();
  const key = makeKey();
  const { configFile, keysFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
  await using gate = await startGateProcess(configFile);
  await using load = startLightLoad(`${gate.url}/v1/memories`, { key: key.secret });
  for (const text of ["", "keys:\n  - id: key_half\n    digest: sha2", "keys: ["]) {
    await writeFile(keysFile, text);
    await waitFor("the metric to say so", async () => (await metric(gate, LAST_RELOAD)) === 0);
    await writeKeys(folder, [key]);
    await waitFor("the metric to say so", async () => (await metric(gate, LAST_RELOAD)) === 1);
  }
  expect((await load.stop()).failures).toEqual([]);
});

test("files in a Kubernetes volume are followed through one swap after the other", async () => {
  await using upstream = await startEchoUpstream();
  await using folder = await makeTempFolder();
  const keys = Array.from({ length: 4 }, () => makeKey());

  // As the kubelet does it: a new folder, and `..data` renamed onto it; the files never change.
  const volume = folder.file("volume");
  const swap = async (version: number): Promise<void> => {
    await using made = await makeTempFolder();
    await writeGateFiles(made, { upstreamUrl: upstream.url, keys: keys.slice(0, version) });
    const versioned = join(volume, `..version_${version}`);
    await mkdir(volume, { recursive: true });
    await rename(made.path, versioned);
    await symlink(`..version_${version}`, join(volume, "..data_tmp"));
    await rename(join(volume, "..data_tmp"), join(volume, "..data"));
    await rm(join(volume, `..version_${version - 1}`), { recursive: true, force: true });
  };
  await swap(1);
  await symlink("..data/keyward.yaml", join(volume, "keyward.yaml"));
  await symlink("..data/keys.yaml", join(volume, "keys.yaml"));
  await using gate = await startGateProcess(join(volume, "keyward.yaml"));

  for (let version = 2; version <= keys.length; version++) {
    const added = keys[version - 1];
    if (added === undefined) throw new RangeError("no such key");
    expect(await statusFor(gate, added)).toBe(401);
    await swap(version);
    await waitFor("the added key to be taken", async () => (await statusFor(gate, added)) === 200, {
      deadlineMs: 3000,
    });
  }
});
