import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { LogDestination } from "../../../src/observe/log-destination.ts";
import { type LogLevel, type Logger, createLogger } from "../../../src/observe/logger.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

type Line = Readonly<Record<string, unknown>>;

async function linesOf(level: LogLevel, write: (log: Logger) => void): Promise<Line[]> {
  await using folder = await makeTempFolder();
  const destination = new LogDestination(folder.file("log.jsonl"));
  write(createLogger({ level, destination, clock: new ManualClock(Date.parse("2026-11-21T10:00:00Z")) }));
  await destination.close();
  const text = await readFile(folder.file("log.jsonl"), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

describe("program log", () => {
  test("a line has level by name, time, fields and message, and nothing of the machine", async () => {
    expect(await linesOf("info", (log) => log.info("listening", { port: 8080 }))).toEqual([
      { level: "info", time: "2026-11-21T10:00:00.000Z", port: 8080, msg: "listening" },
    ]);
  });

  test("lines below the level are not written; a reload may change it", async () => {
    const lines = await linesOf("warn", (log) => {
      log.info("one");
      log.warn("two");
      log.setLevel("debug");
      log.debug("three");
      log.setLevel("silent");
      log.fatal("four");
    });
    expect(lines.map((line) => line["msg"])).toEqual(["two", "three"]);
  });

  test("of an error only message, code, cause and stack are written, not what hangs on it", async () => {
    const error = Object.assign(new Error("connect failed", { cause: new Error("ECONNREFUSED") }), {
      code: "UND_ERR",
      options: { headers: { authorization: "Bearer SECRET" } },
    });
    const [line] = await linesOf("info", (log) =>
      log.error("upstream is away", { upstream: "default" }, error),
    );
    expect(line).toMatchObject({
      msg: "upstream is away",
      upstream: "default",
      error: "connect failed",
      error_code: "UND_ERR",
      error_cause: "ECONNREFUSED",
    });
    expect(JSON.stringify(line)).not.toContain("SECRET");
  });

  test("something thrown that is no error is written as text", async () => {
    const [line] = await linesOf("info", (log) => log.error("odd", {}, "just text"));
    expect(line).toMatchObject({ error: "just text" });
  });
});
