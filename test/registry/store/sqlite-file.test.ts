/** What the SQLite store does beyond the contract: its file, its backups, other processes on it. */
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openStore } from "../../../src/registry/open-store.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { created, createKeys, NOW_MS, readSnapshot, recordOf } from "./records.ts";
import { makeSqliteBed } from "./sqlite-bed.ts";

async function modesIn(folder: string): Promise<Readonly<Record<string, string>>> {
  const modes: Record<string, string> = {};
  for (const name of await readdir(folder))
    modes[name] = ((await stat(`${folder}/${name}`)).mode & 0o777).toString(8);
  return modes;
}

describe("the file", () => {
  test("nobody but its owner can read it, or the files beside it", async () => {
    await using folder = await makeTempFolder();
    const store = await openStore(`sqlite:${folder.file("registry.db")}`);
    await store.migrate();
    expect(await modesIn(folder.path)).toEqual({
      "registry.db": "600",
      "registry.db-shm": "600",
      "registry.db-wal": "600",
    });
    await store.close();
  });

  test("one that others can read is closed to them", async () => {
    await using bed = await makeSqliteBed();
    await (await bed.open()).close();
    await chmod(bed.file, 0o644);
    await bed.open();
    expect((await stat(bed.file)).mode & 0o777).toBe(0o600);
  });

  test("what is no database is refused, and left alone", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write(
      "notes.txt",
      "not a database, but something that somebody needs\n".repeat(50),
    );
    const before = await readFile(file, "utf8");
    await expect(openStore(file)).rejects.toThrow(/not a database/);
    await expect(openStore(folder.file("no/such/folder.db"))).rejects.toThrow(/ENOENT/);
    expect(await readFile(file, "utf8")).toBe(before);
  });

  test("the database of another program is refused, and left alone", async () => {
    await using folder = await makeTempFolder();
    const file = folder.file("other.db");
    using other = new DatabaseSync(file);
    other.exec("CREATE TABLE notes (text)");
    const store = await openStore(file);
    await expect(store.migrate()).rejects.toThrow(/another program/);
    await store.close();
    expect(other.prepare("SELECT name FROM sqlite_schema").all()).toMatchObject([{ name: "notes" }]);
  });

  test("an acknowledged write is in the log that other processes read", async () => {
    await using bed = await makeSqliteBed();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"));
    // Another process sees it at once; that a crash loses nothing is shown by crash.test.ts.
    using other = new DatabaseSync(bed.file, { readOnly: true });
    expect(other.prepare("SELECT id FROM keys").all()).toMatchObject([{ id: "key_1" }]);
    expect(other.prepare("PRAGMA journal_mode").get()).toMatchObject({ journal_mode: "wal" });
  });
});

describe("another process", () => {
  test("a write waits while another process writes, and reading goes on", async () => {
    await using bed = await makeSqliteBed();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"));
    using other = new DatabaseSync(bed.file);
    other.exec("BEGIN IMMEDIATE");
    let isWritten = false;
    const writing = createKeys(store, recordOf("key_2")).then(() => (isWritten = true));
    // Longer than the driver itself would wait.
    const endMs = performance.now() + 400;
    while (performance.now() < endMs) {
      expect(await store.getKey("key_1")).toBeDefined();
      await delay(10);
    }
    expect(isWritten).toBe(false);
    other.exec("COMMIT");
    await writing;
    expect(await store.getKey("key_2")).toBeDefined();
  });
});

describe("backups", () => {
  test("a backup is of one moment, while others write", async () => {
    await using bed = await makeSqliteBed();
    await using folder = await makeTempFolder();
    const [store, other] = [await bed.open(), await bed.open()];
    const records = Array.from({ length: 5_000 }, (_, i) => recordOf(`key_${i}`));
    await store.writeKeys(records.map(created), [], NOW_MS);
    const file = folder.file("backup.db");
    const done = new AbortController();
    const backup = store.backup(file).finally(() => done.abort());
    for (let written = 0; !done.signal.aborted;) {
      await createKeys(other, recordOf(`late_${written++}`));
      await createKeys(store, recordOf(`late_${written++}`));
      await delay(1);
    }
    await backup;
    expect(await modesIn(folder.path)).toEqual({ "backup.db": "600" });
    const copy = await openStore(file);
    await copy.migrate();
    const ids = (await readSnapshot(copy)).map(({ id }) => id);
    const late = ids.filter((id) => id.startsWith("late_"));
    expect(ids.length - late.length).toBe(records.length);
    // Without a gap: all that were written before a moment, none after.
    const before = Array.from({ length: late.length }, (_, i) => `late_${i}`);
    expect(late.toSorted()).toEqual(before.toSorted());
    await copy.close();
  });

  test("whoever opens a backup goes another way than the gates have seen", async () => {
    await using bed = await makeSqliteBed();
    await using folder = await makeTempFolder();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"));
    const origin = await store.cursor();
    const file = folder.file("backup.db");
    await store.backup(file);
    expect(await store.cursor()).toStrictEqual(origin);
    const epochs = new Set([origin.epoch]);
    // Restored twice from the same file: each is a history of its own.
    const bytes = await readFile(file);
    for (const name of ["first.db", "second.db"]) {
      await writeFile(folder.file(name), bytes);
      const restored = await openStore(folder.file(name));
      await restored.migrate();
      const { epoch } = await restored.cursor();
      epochs.add(epoch);
      expect(await restored.changesSince(origin.rev, 10)).toBeUndefined();
      await restored.close();
      const again = await openStore(folder.file(name));
      await again.migrate();
      expect((await again.cursor()).epoch).toBe(epoch);
      await again.close();
    }
    expect(epochs.size).toBe(3);
  });

  test("a backup overwrites nothing, and a failed one leaves nothing", async () => {
    await using bed = await makeSqliteBed();
    await using folder = await makeTempFolder();
    const store = await bed.open();
    const file = await folder.write("backup.db", "precious");
    await expect(store.backup(file)).rejects.toThrow(/EEXIST/);
    expect(await readFile(file, "utf8")).toBe("precious");
    expect(await readdir(folder.path)).toEqual(["backup.db"]);
    await expect(store.backup(folder.file("no/such/folder.db"))).rejects.toThrow(/ENOENT/);
  });
});

describe("URLs", () => {
  test("a file is named by a path or a sqlite: URL", async () => {
    await using folder = await makeTempFolder();
    const file = folder.file("registry.db");
    for (const url of [file, `sqlite:${file}`, `sqlite://${file}`]) {
      const store = await openStore(url);
      await store.migrate();
      await createKeys(store, recordOf(`key_${url}`.replaceAll("/", ".")));
      await store.close();
    }
    const store = await openStore(file);
    expect(await readSnapshot(store)).toHaveLength(3);
    await store.close();
  });

  test("what names no store is refused", async () => {
    for (const url of ["mysql://root@localhost/x", "sqlite:", "sqlite://host/path.db", "https://example.com"])
      await expect(openStore(url)).rejects.toThrow(/sqlite:/);
  });

  test.for([":memory:", "sqlite::memory:"])("%s keeps nothing on disk and does the same", async (url) => {
    const store = await openStore(url);
    await store.migrate();
    const records = Array.from({ length: 1_500 }, (_, i) => recordOf(`key_${String(i).padStart(4, "0")}`));
    await store.writeKeys(records.map(created), [], NOW_MS);
    const seen: string[] = [];
    for await (const batch of store.snapshot()) {
      if (seen.length === 0) await createKeys(store, recordOf("key_9999"));
      seen.push(...batch.records.map(({ id }) => id));
    }
    expect(seen).toEqual(records.map(({ id }) => id));
    await using folder = await makeTempFolder();
    await store.backup(folder.file("copy.db"));
    const copy = await openStore(folder.file("copy.db"));
    expect(await copy.getKey("key_9999")).toStrictEqual(recordOf("key_9999"));
    await copy.close();
    await store.close();
  });
});
