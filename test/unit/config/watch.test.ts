/** A change of a watched file is noticed, however the file is changed, and only once. */
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { stampOf } from "../../../src/config/file-stamp.ts";
import { type WatchOptions, watchFiles } from "../../../src/config/watch.ts";
import { makeTempFolder, type TempFolder } from "../../support/temp-folder.ts";

/** Poll switched off: only the system's own events count. */
const EVENTS_ONLY: WatchOptions = { debounceMs: 20, pollMs: 3_600_000 };
/** Events alone would take longer than any deadline. */
const POLL_ONLY: WatchOptions = { debounceMs: 3_600_000, pollMs: 20 };

/** Reads the files at each change, as a reload does. */
class Watched implements Disposable {
  changes = 0;
  /** Contents at the last change, `-` for a file that is not there. */
  seen = "";
  readonly #watch;

  constructor(files: readonly string[], options: WatchOptions) {
    const onChange = (): void => {
      this.changes += 1;
      this.seen = files.map((file) => (existsSync(file) ? readFileSync(file, "utf8") : "-")).join(" ");
    };
    this.#watch = watchFiles(files, onChange, options);
  }

  [Symbol.dispose](): void {
    this.#watch.close();
  }
}

const DEADLINE = { timeout: 5000, interval: 5 };

/** Writes a new version as Kubernetes does: a folder of its own, then the link `..data` swapped to it. */
async function publish(
  folder: TempFolder,
  version: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files))
    await folder.write(`mount/..${version}/${name}`, content);
  await symlink(`..${version}`, folder.file("mount/..data_tmp"));
  await rename(folder.file("mount/..data_tmp"), folder.file("mount/..data"));
}

describe.for([
  ["by the system's events", EVENTS_ONLY],
  ["by looking now and then", POLL_ONLY],
] as const)("noticed %s", ([, options]) => {
  test("a ConfigMap swapped twice in a row, with the old version removed", async () => {
    await using folder = await makeTempFolder();
    await publish(folder, "v1", { "keyward.yaml": "1", "keys.yaml": "1" });
    const files = ["keyward.yaml", "keys.yaml"].map((name) => folder.file(`mount/${name}`));
    await symlink("..data/keyward.yaml", files[0] ?? "");
    await symlink("..data/keys.yaml", files[1] ?? "");
    using watched = new Watched(files, options);
    await publish(folder, "v2", { "keyward.yaml": "2", "keys.yaml": "2" });
    await rm(folder.file("mount/..v1"), { recursive: true });
    await expect.poll(() => watched.seen, DEADLINE).toBe("2 2");
    await publish(folder, "v3", { "keyward.yaml": "3", "keys.yaml": "3" });
    await rm(folder.file("mount/..v2"), { recursive: true });
    await expect.poll(() => watched.seen, DEADLINE).toBe("3 3");
  });

  test("a file written in place, replaced by rename, removed and made again", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write("a.yaml", "1");
    using watched = new Watched([file], options);
    await appendFile(file, "2");
    await expect.poll(() => watched.seen, DEADLINE).toBe("12");
    await rename(await folder.write("a.yaml.new", "3"), file);
    await expect.poll(() => watched.seen, DEADLINE).toBe("3");
    await rm(file);
    await expect.poll(() => watched.seen, DEADLINE).toBe("-");
    await writeFile(file, "4");
    await expect.poll(() => watched.seen, DEADLINE).toBe("4");
  });
});

test("a file in a folder that is replaced, and one in a folder that does not exist yet", async () => {
  await using folder = await makeTempFolder();
  const first = await folder.write("one/a.yaml", "1");
  const second = folder.file("two/b.yaml");
  using watched = new Watched([first, second], { debounceMs: 20, pollMs: 20 });
  await rename(dirname(first), folder.file("old"));
  await expect.poll(() => watched.seen, DEADLINE).toBe("- -");
  await folder.write("new/a.yaml", "2");
  await rename(folder.file("new"), dirname(first));
  await expect.poll(() => watched.seen, DEADLINE).toBe("2 -");
  await mkdir(dirname(second));
  await writeFile(second, "1");
  await expect.poll(() => watched.seen, DEADLINE).toBe("2 1");
});

test("a file behind a link to another folder", async () => {
  await using folder = await makeTempFolder();
  const target = await folder.write("elsewhere/a.yaml", "1");
  await symlink(target, folder.file("a.yaml"));
  using watched = new Watched([folder.file("a.yaml")], { debounceMs: 20, pollMs: 20 });
  await appendFile(target, "2");
  await expect.poll(() => watched.seen, DEADLINE).toBe("12");
});

test("what happens beside the files is nothing", async () => {
  await using folder = await makeTempFolder();
  const file = await folder.write("a.yaml", "1");
  using watched = new Watched([file], EVENTS_ONLY);
  for (let i = 0; i < 20; i++) await folder.write(`other-${i}`, "x");
  await appendFile(file, "2");
  await expect.poll(() => watched.seen, DEADLINE).toBe("12");
  expect(watched.changes).toBe(1);
});

test("a folder in which something happens all the time does not put a change off", async () => {
  await using folder = await makeTempFolder();
  const file = await folder.write("a.yaml", "1");
  using watched = new Watched([file], { debounceMs: 50, pollMs: 3_600_000 });
  await appendFile(file, "2");
  let writes = 0;
  const keepBusy = async (): Promise<string> => {
    await folder.write("busy", String((writes += 1)));
    return watched.seen;
  };
  await expect.poll(keepBusy, { timeout: 5000, interval: 1 }).toBe("12");
});

test("a change between reading a file and watching it is noticed", async () => {
  await using folder = await makeTempFolder();
  const file = await folder.write("a.yaml", "1");
  const since = new Map([[file, stampOf(file)]]);
  await appendFile(file, "2");
  using watched = new Watched([file], { ...EVENTS_ONLY, since });
  await expect.poll(() => watched.seen, DEADLINE).toBe("12");
});

test("a closed watch is silent", async () => {
  await using folder = await makeTempFolder();
  const file = await folder.write("a.yaml", "1");
  const closed = new Watched([file], { debounceMs: 1, pollMs: 1 });
  using open = new Watched([file], { debounceMs: 20, pollMs: 20 });
  closed[Symbol.dispose]();
  await appendFile(file, "2");
  await expect.poll(() => open.seen, DEADLINE).toBe("12");
  expect(closed.changes).toBe(0);
});

test("a stamp tells content, time and identity apart, and a missing file from one that is there", async () => {
  await using folder = await makeTempFolder();
  const file = folder.file("a");
  const stamps = [stampOf(file)];
  await writeFile(file, "1");
  stamps.push(stampOf(file));
  expect(stampOf(file)).toBe(stamps[1]);
  await utimes(file, 1, 1);
  stamps.push(stampOf(file));
  await rename(await folder.write("b", "1"), file);
  stamps.push(stampOf(file));
  expect(new Set(stamps).size).toBe(stamps.length);
});
