/**
 * What was acknowledged is there after a crash. Ten crashes as a rule; KEYWARD_CRASHES=200 for the
 * long form.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { openStore } from "../../../src/registry/open-store.ts";
import { startChild } from "../../support/child.ts";
import { readSnapshot, recordOf } from "./records.ts";
import { makeSqliteBed } from "./sqlite-bed.ts";
import { type Acknowledged, acknowledged, writerArguments } from "./writer-process.ts";

const CRASHES = Number(process.env["KEYWARD_CRASHES"] ?? 10);
/** Long enough for some to fall into a checkpoint of the log. */
const WRITE_MS_MAX = 400;

/** Lets a process write until it is killed somewhere in the middle; returns what it was told. */
async function crashWhileWriting(url: string, prefix: string): Promise<readonly Acknowledged[]> {
  await using writer = await startChild(process.execPath, writerArguments(url, prefix, 1_000_000));
  await writer.find("first write", (stdout) => acknowledged(stdout)[0]);
  await delay(Math.random() * WRITE_MS_MAX);
  const { signal } = await writer.stop("SIGKILL");
  expect(signal).toBe("SIGKILL");
  return acknowledged(writer.stdout);
}

function integrityOf(file: string): unknown {
  using database = new DatabaseSync(file);
  return database
    .prepare("PRAGMA integrity_check")
    .all()
    .map((row) => row["integrity_check"]);
}

test(
  `SQLite: after ${CRASHES} crashes every acknowledged write is there, whole, and nothing is corrupt`,
  { timeout: 60_000 + CRASHES * 3_000 },
  async () => {
    await using bed = await makeSqliteBed();
    let rev = 0;
    for (let crash = 1; crash <= CRASHES; crash++) {
      const told = await crashWhileWriting(bed.url, `crash_${crash}`);
      expect(integrityOf(bed.file)).toEqual(["ok"]);
      const store = await openStore(bed.url);
      try {
        await store.migrate();
        const changes = (await store.changesSince(rev, 100_000)) ?? [];
        expect(changes.map((change) => change.rev)).toEqual(changes.map((_, i) => rev + i + 1));
        // At most one more than was acknowledged: the process died between the commit and its word.
        expect(changes.length - told.length).toBeOneOf([0, 1]);
        for (const [i, { id, rev: acknowledgedRev }] of told.entries()) {
          expect(changes[i]).toStrictEqual({ rev: acknowledgedRev, op: "upsert", record: recordOf(id) });
        }
        rev += changes.length;
        const { rev: now } = await store.cursor();
        expect(now).toBe(rev);
        // Record, log and audit entry are one transaction.
        expect(await readSnapshot(store)).toHaveLength(rev);
        const last = changes.at(-1)?.record.id ?? "";
        const { items } = await store.listAudit({ subject: last }, { limit: 10 });
        expect(items).toHaveLength(1);
      } finally {
        await store.close();
      }
    }
  },
);
