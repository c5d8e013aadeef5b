import { closeSync, constants, existsSync, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { LogDestination } from "../../../src/observe/log-destination.ts";
import { runChild } from "../../support/child.ts";
import { type TempFolder, makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor, within } from "../../support/wait-for.ts";

/** A pipe, as descriptors of its two ends. Nobody reads unless the test does. */
async function makePipe(folder: TempFolder): Promise<{ readFd: number; writeFd: number }> {
  const path = folder.file("pipe");
  await runChild("mkfifo", [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { readFd, writeFd: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
}

function readAvailable(fd: number): string {
  const chunk = Buffer.alloc(1 << 20);
  try {
    return chunk.toString("utf8", 0, readSync(fd, chunk));
  } catch {
    return "";
  }
}

describe("log destination", () => {
  test("keeps every line whole and in order", async () => {
    await using folder = await makeTempFolder();
    const destination = new LogDestination(folder.file("log"));
    const lines = Array.from(
      { length: 20_000 },
      (_, index) => `{"n":${index},"text":"${"ä".repeat(index % 50)}"}\n`,
    );
    for (const line of lines) destination.write(line);
    await destination.close();
    expect(await readFile(folder.file("log"), "utf8")).toBe(lines.join(""));
    expect(destination.linesDropped).toBe(0);
  });

  test("a single line does not wait for a page to fill", async () => {
    await using folder = await makeTempFolder();
    const destination = new LogDestination(folder.file("log"));
    destination.write("one\n");
    const read = (): Promise<string> => readFile(folder.file("log"), "utf8");
    expect(await waitFor("the line", async () => (await read()) || undefined)).toBe("one\n");
    await destination.close();
  });

  test("nor does the first line of a page, however the page before it filled", async () => {
    await using folder = await makeTempFolder();
    const destination = new LogDestination(folder.file("log"));
    const whole = `${"a".repeat(4000)}\n`.repeat(3);
    for (const line of whole.split(/(?<=\n)/)) destination.write(line);
    const read = (): Promise<string> => readFile(folder.file("log"), "utf8");
    expect(await waitFor("the last line", async () => (await read()) === whole)).toBe(true);
    await destination.close();
  });

  test("appends to what is there", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write("log", "before\n");
    const destination = new LogDestination(file);
    destination.write("after\n");
    await destination.close();
    expect(await readFile(file, "utf8")).toBe("before\nafter\n");
  });

  test("a path that cannot be opened fails the start", () => {
    expect(() => new LogDestination("/nowhere/at/all")).toThrow("ENOENT");
  });

  test("what the reader of a pipe sees always ends with a whole line", async () => {
    await using folder = await makeTempFolder();
    const { readFd, writeFd } = await makePipe(folder);
    const destination = new LogDestination(writeFd);
    let taken = "";
    for (let round = 0; round < 50; round++) {
      for (let line = 0; line < 11; line++) destination.write(`${"x".repeat(399)}\n`);
      const chunk = await waitFor("a page", () => readAvailable(readFd) || undefined);
      expect(chunk.endsWith("\n")).toBe(true);
      taken += chunk;
    }
    await destination.close();
    expect((taken + readAvailable(readFd)).length).toBe(50 * 11 * 400);
    closeSync(readFd);
    closeSync(writeFd);
  });

  test("a reader that stalls costs lines beyond the buffer, counted, and no flush that never ends", async () => {
    await using folder = await makeTempFolder();
    const { readFd, writeFd } = await makePipe(folder);
    const destination = new LogDestination(writeFd, { bufferBytesMax: 1024 * 1024, flushTimeoutMs: 200 });
    const line = `${"x".repeat(1023)}\n`;
    for (let i = 0; i < 1500; i++) destination.write(line);
    expect(destination.linesDropped).toBe(1500 - 1024);
    await within("the flush to give up", destination.flush(), 5000);
    // It goes on when the reader does.
    let taken = "";
    await waitFor("the backlog", () => {
      taken += readAvailable(readFd);
      return taken.length >= 1024 * 1024;
    });
    expect(taken).toBe(line.repeat(1024));
    await destination.close();
    closeSync(readFd);
    closeSync(writeFd);
  });

  test("a reader that goes away mutes it; nothing throws and nothing hangs", async () => {
    await using folder = await makeTempFolder();
    const { readFd, writeFd } = await makePipe(folder);
    const destination = new LogDestination(writeFd);
    closeSync(readFd);
    destination.write("into the void\n");
    await within("the flush", destination.flush(), 1000);
    destination.write("after\n");
    destination.flushSync();
    await destination.close();
    expect(destination.linesDropped).toBeGreaterThanOrEqual(1);
    closeSync(writeFd);
  });

  test("lines come out when the process ends without a flush", async () => {
    const { stdout, code } = await runChild(process.execPath, [
      "--input-type=module",
      "-e",
      `const { LogDestination } = await import("./src/observe/log-destination.ts");
       new LogDestination(1).write("last words\\n");
       process.exit(3);`,
    ]);
    expect({ stdout, code }).toEqual({ stdout: "last words\n", code: 3 });
  });

  test.runIf(existsSync("/dev/full"))("a full disk does not keep the process from ending", async () => {
    const { code } = await runChild(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `const { LogDestination } = await import("./src/observe/log-destination.ts");
         const destination = new LogDestination("/dev/full", { bufferBytesMax: 1e6, flushTimeoutMs: 100 });
         for (let i = 0; i < 1000; i++) destination.write("x".repeat(100) + "\\n");
         await destination.flush();
         process.exit(0);`,
      ],
      { deadlineMs: 8000 },
    );
    expect(code).toBe(0);
  });
});
