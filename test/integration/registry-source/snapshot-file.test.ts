/** The last snapshot on disk: a gate that restarts while the registry is down knows what it knew. */
import { chmod, readFile, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import {
  SourceScene,
  type SourceSceneOptions,
  digestAt,
  recordAt,
  recordsUpTo,
} from "../../support/source-scene.ts";
import { type TempFolder, makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";

async function makeScene(folder: TempFolder, options: SourceSceneOptions = {}): Promise<SourceScene> {
  return await SourceScene.make({
    registry: { keys: recordsUpTo(5) },
    ...options,
    source: { snapshotFiles: [folder.file("snapshot")], ...options.source },
  });
}

async function textOf(folder: TempFolder): Promise<string> {
  return await readFile(folder.file("snapshot"), "utf8").catch(() => "");
}

const confirmed = async (folder: TempFolder): Promise<boolean> =>
  (await textOf(folder)).includes('"confirmed"');

test("a gate starts from it while the registry is down, and follows on when that is back", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await waitFor("the file", () => confirmed(folder));
  await scene.registry.down();
  await scene.restart();
  expect([scene.source.isReady, scene.source.isUp, scene.source.size]).toEqual([true, false, 5]);
  expect([await scene.state(0), await scene.state(9)]).toEqual(["active", "unavailable"]);
  await scene.registry.up();
  await scene.up();
  const asked = scene.registry.asked.filter(({ call }) => call === "keys");
  expect(asked.at(-1)?.url).toContain("since=fake1:5");
  expect(await scene.state(9)).toBe("unknown");
});

test("what was revoked, made and altered after it was written is in it", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await scene.registry.streaming();
  await waitFor("the file", () => confirmed(folder));
  scene.registry.revoke(recordAt(0).digest);
  scene.registry.put(recordAt(8));
  scene.registry.put(recordAt(1, { scopes: [] }));
  scene.registry.sendEvent(1, "revoke", { digest: recordAt(2).digest });
  await scene.until(2, "revoked");
  await scene.registry.down();
  await scene.restart();
  expect([await scene.state(0), await scene.state(8), await scene.state(2)]).toEqual([
    "revoked",
    "active",
    "revoked",
  ]);
  expect(await scene.find(1)).toMatchObject({ record: { scopes: [] } });
});

test("it holds no secret, is mode 0600, and leaves nothing beside it", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await waitFor("the file", () => confirmed(folder));
  expect((await stat(folder.file("snapshot"))).mode & 0o777).toBe(0o600);
  expect(await textOf(folder)).not.toContain("mem_live_secret");
  await scene.source.close();
  expect(await readdir(folder.path)).toEqual(["snapshot"]);
});

test("its age counts: one that is older than max_stale lets nobody in", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await waitFor("the file", () => confirmed(folder));
  await scene.registry.down();
  scene.clock.wallMs += 61_000;
  await scene.restart();
  expect([scene.source.isReady, await scene.state(0)]).toEqual([false, "unavailable"]);
});

test("one of the future is too old: a clock was set back", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await waitFor("the file", () => confirmed(folder));
  await scene.registry.down();
  scene.clock.wallMs -= 3_600_000;
  await scene.restart();
  expect([scene.source.isReady, await scene.state(0)]).toEqual([false, "unavailable"]);
});

test.for<[string, (path: string, text: string) => Promise<unknown>]>([
  ["with a changed record", (path, text) => writeFile(path, text.replace('"key_3"', '"key_4"'))],
  [
    "with a record more",
    (path, text) => writeFile(path, text.replace(/\n/, `\n${JSON.stringify(recordAt(9))}\n`)),
  ],
  ["cut in the snapshot", (path) => truncate(path, 700)],
  [
    "with a damaged entry",
    (path, text) => writeFile(path, `${text}00000000 {"kind":"confirmed"}\n${text.split("\n").at(-2)}\n`),
  ],
  ["that is empty", (path) => truncate(path, 0)],
  ["that others may write", (path) => chmod(path, 0o666)],
])("a file %s is not used", async ([, spoil]) => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await waitFor("the file", () => confirmed(folder));
  await scene.source.close();
  await scene.registry.down();
  await spoil(folder.file("snapshot"), await textOf(folder));
  await scene.restart();
  expect([scene.source.isReady, await scene.state(0)]).toEqual([false, "unavailable"]);
  await scene.registry.up();
  await scene.until(0, "active");
});

test("an entry that was cut by a crash is left out, and the next one begins a new line", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await scene.registry.streaming();
  await waitFor("the file", () => confirmed(folder));
  await scene.source.close();
  const whole = await textOf(folder);
  await writeFile(folder.file("snapshot"), `${whole}12345678 {"kind":"chan`);
  await scene.restart();
  scene.registry.revoke(recordAt(0).digest);
  await scene.until(0, "revoked");
  await scene.registry.down();
  await scene.restart();
  expect([await scene.state(0), await scene.state(1)]).toEqual(["revoked", "active"]);
});

test("a place that cannot be written harms nobody, and is told", async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder, {
    source: { snapshotFiles: [folder.file("no/such/folder/file")] },
  });
  await waitFor("the trouble", () => scene.reported.some(({ level }) => level === "error"));
  expect(await scene.state(0)).toBe("active");
});

test("many changes behind it are written into it", { timeout: 60_000 }, async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await scene.registry.streaming();
  await waitFor("the file", () => confirmed(folder));
  for (let index = 0; index < 25_000; index++) scene.registry.put(recordAt(index % 10));
  const { rev } = scene.registry;
  await waitFor("the last change", () => scene.source.cursor?.rev === rev, { deadlineMs: 30_000 });
  const isCompact = async (): Promise<boolean> => {
    const text = await textOf(folder);
    return text.split("\n").length < 15_000 && text.includes(`"rev":${rev}`);
  };
  await waitFor("a shorter file", isCompact, { deadlineMs: 30_000 });
  await scene.registry.down();
  await scene.restart();
  expect([scene.source.cursor?.rev, await scene.state(9)]).toEqual([rev, "active"]);
});

test("a gate killed at any moment restarts with what it had applied", { timeout: 60_000 }, async () => {
  await using folder = await makeTempFolder();
  await using scene = await makeScene(folder);
  await scene.registry.streaming();
  await waitFor("the file", () => confirmed(folder));
  // What a kill leaves is some beginning of the file: every one of them must be safe to start from.
  scene.registry.revoke(recordAt(0).digest);
  await scene.until(0, "revoked");
  await scene.source.close();
  await scene.registry.down();
  const whole = await readFile(folder.file("snapshot"));
  const journalAt = whole.indexOf("\n", whole.indexOf('"kind":"end"')) + 1;
  for (let length = whole.length; length >= journalAt; length -= 7) {
    await writeFile(folder.file("snapshot"), whole.subarray(0, length), { mode: 0o600 });
    await scene.restart();
    const state = await scene.state(0);
    const isRevocationWhole = whole.subarray(0, length).includes('"revoke"') && length === whole.length;
    if (isRevocationWhole) expect(state).toBe("revoked");
    // Without a confirmation behind it nothing says how old it is.
    expect(["revoked", "active", "unavailable"]).toContain(state);
    expect(scene.source.find(digestAt(99))).toMatchObject({ kind: "unavailable" });
  }
});
