import { writeFileSync } from "node:fs";
import { chmod, readdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { FileLockedError, lockFile } from "../../../src/base/file-lock.ts";
import { formatFault } from "../../../src/document/fault.ts";
import { loadKeyFile } from "../../../src/keys/file-source.ts";
import { editKeyFile, type KeyFileOptions, withPlaceholders } from "../../../src/keys/key-file.ts";
import { revokeKey } from "../../../src/keys/life-cycle.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { keyRecord } from "../../support/key-records.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const OPTIONS: KeyFileOptions = { env: {}, clock: systemClock, create: true };

function addKey(file: string, id: string, options: Partial<KeyFileOptions> = {}): Promise<unknown> {
  return editKeyFile(file, { ...OPTIONS, ...options }, () => ({ value: id, added: [keyRecord(id, { id })] }));
}

function idsOf(file: string): readonly string[] {
  const loaded = loadKeyFile(file, {});
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join("\n"));
  return [...loaded.records.values()].map((record) => record.id);
}

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe("the first key", () => {
  test.for([undefined, "", "\n\n", "keys: []\n", "# mine\nkeys: []\n"])(
    "makes or fills a file: %j",
    async (text) => {
      await using folder = await makeTempFolder();
      const file = folder.file("keys.yaml");
      if (text !== undefined) await writeFile(file, text);
      await addKey(file, "key_1");
      expect(idsOf(file)).toEqual(["key_1"]);
      expect(await modeOf(file)).toBe(0o600);
      if (text?.includes("# mine") === true) expect(await readFile(file, "utf8")).toContain("# mine");
    },
  );

  test("is not made where a file was expected", async () => {
    await using folder = await makeTempFolder();
    const outcome = await editKeyFile(folder.file("keys.yaml"), { ...OPTIONS, create: false }, () => ({
      value: 1,
    }));
    expect(outcome).toMatchObject({ ok: false });
    expect(await readdir(folder.path)).toEqual([]);
  });
});

test("edits at the same time all arrive", async () => {
  await using folder = await makeTempFolder();
  const file = folder.file("keys.yaml");
  const ids = Array.from({ length: 12 }, (_, n) => `key_${n}`);
  await Promise.all(ids.map((id) => addKey(file, id, { lock: { pollMs: 1 } })));
  expect(idsOf(file).toSorted()).toEqual(ids.toSorted());
  expect(await readdir(folder.path)).toEqual(["keys.yaml"]);
});

test("a faulty file is not edited", async () => {
  await using folder = await makeTempFolder();
  const text = "keys:\n  - id: key_1\n    organisation: { id: a }\n";
  const file = await folder.write("keys.yaml", text);
  expect(await addKey(file, "key_2")).toMatchObject({ ok: false });
  expect(await readFile(file, "utf8")).toBe(text);
});

test("an edit that decides to change nothing leaves the file alone", async () => {
  await using folder = await makeTempFolder();
  const file = folder.file("keys.yaml");
  await addKey(file, "key_1");
  const before = await stat(file);
  await editKeyFile(file, OPTIONS, (records) => ({ value: records.length }));
  expect((await stat(file)).ino).toBe(before.ino);
});

test("an edit that fails leaves file and lock as they were", async () => {
  await using folder = await makeTempFolder();
  const file = folder.file("keys.yaml");
  await addKey(file, "key_1");
  const edit = editKeyFile(file, OPTIONS, () => {
    throw new Error("changed my mind");
  });
  await expect(edit).rejects.toThrow("changed my mind");
  expect(await readdir(folder.path)).toEqual(["keys.yaml"]);
});

test("revoking a key needs no secret of another one", async () => {
  await using folder = await makeTempFolder();
  const file = await folder.write(
    "keys.yaml",
    `keys:
  - { id: key_dev, secret: "\${DEV_KEY}", organization: { id: org_a } }
  - { id: key_1, digest: "${keyRecord("x").digest}", organization: { id: org_a } }
`,
  );
  const revoke = (records: readonly KeyRecord[]): { value: string; changed: KeyRecord[] } => ({
    value: "",
    changed: records.filter(({ id }) => id === "key_1").map((record) => revokeKey(record, 0)),
  });
  expect(await editKeyFile(file, OPTIONS, revoke)).toMatchObject({ ok: false });
  expect(await editKeyFile(file, { ...OPTIONS, env: withPlaceholders({}) }, revoke)).toMatchObject({
    ok: true,
  });
  expect(await readFile(file, "utf8")).toContain("revoked_at: 1970-01-01T00:00:00Z }");
});

describe("the file on disk", () => {
  test("a link is followed: its target is replaced, the link stays", async () => {
    await using folder = await makeTempFolder();
    const target = await folder.write("real/keys.yaml", "keys: []\n");
    const link = folder.file("keys.yaml");
    await symlink("real/keys.yaml", link);
    await addKey(link, "key_1");
    expect(idsOf(target)).toEqual(["key_1"]);
    expect(await readdir(folder.path)).toEqual(["keys.yaml", "real"]);
    expect(await readdir(folder.file("real"))).toEqual(["keys.yaml"]);
  });

  test.for([
    [0o600, 0o600],
    [0o400, 0o400],
    [0o640, 0o640],
    [0o660, 0o640],
    [0o644, 0o600],
    [0o666, 0o600],
  ] as const)("mode %o becomes %o: never wider, never open to everybody", async ([before, after]) => {
    await using folder = await makeTempFolder();
    const file = await folder.write("keys.yaml", "keys: []\n");
    await chmod(file, before);
    expect(await addKey(file, "key_1")).toMatchObject({ ok: true, modeTaken: before & ~after });
    expect(await modeOf(file)).toBe(after);
  });
});

describe("the lock", () => {
  test("another holder is waited for, then the edit gives up and says what to do", async () => {
    await using folder = await makeTempFolder();
    const file = folder.file("keys.yaml");
    const lock = await lockFile(file, systemClock);
    const edit = addKey(file, "key_1", { lock: { waitMs: 50, pollMs: 5 } });
    await expect(edit).rejects.toThrow(FileLockedError);
    await expect(edit).rejects.toThrow(`${file}.lock`);
    await lock.release();
    await addKey(file, "key_1");
    expect(idsOf(file)).toEqual(["key_1"]);
  });

  test("a lock that a dead process left behind is taken over, once", async () => {
    await using folder = await makeTempFolder();
    const file = folder.file("keys.yaml");
    await folder.write("keys.yaml.lock", "somebody who died");
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(`${file}.lock`, longAgo, longAgo);
    await Promise.all(["key_1", "key_2", "key_3"].map((id) => addKey(file, id, { lock: { pollMs: 1 } })));
    expect(idsOf(file).toSorted()).toEqual(["key_1", "key_2", "key_3"]);
    expect(await readdir(folder.path)).toEqual(["keys.yaml"]);
  });

  test("an edit that lost its lock writes nothing", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write("keys.yaml", "keys: []\n");
    const edit = editKeyFile(file, OPTIONS, () => {
      // What a second process leaves behind that took the lock for abandoned.
      writeFileSync(`${file}.lock`, "another token");
      return { value: 1, added: [keyRecord("a", { id: "key_1" })] };
    });
    await expect(edit).rejects.toThrow("nothing was written");
    expect(await readFile(file, "utf8")).toBe("keys: []\n");
    expect(await readFile(`${file}.lock`, "utf8")).toBe("another token");
  });
});
