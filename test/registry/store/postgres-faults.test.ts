/** What the PostgreSQL store does beyond the contract: outages, notifications, its place in a shared database. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../../src/registry/open-store.ts";
import { findPostgres } from "../../support/postgres-programs.ts";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { waitFor, within } from "../../support/wait-for.ts";
import { makePostgresBed } from "./postgres-bed.ts";
import {
  auditOf,
  created,
  createKeys,
  NOW_MS,
  readSnapshot,
  recordOf,
  usageBatch,
  usageItem,
} from "./records.ts";

const programs = findPostgres("the store survives outages of PostgreSQL");

describe.skipIf(programs === undefined)("PostgreSQL", () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres(programs ?? "");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.for(["SIGINT", "SIGQUIT"] as const)(
    "after a restart (%s) a store works again by itself, and hears of changes again",
    async (signal) => {
      await using bed = await makePostgresBed(server);
      const writer = await bed.open();
      const notices: string[] = [];
      const store = await openStore(bed.url, { onNotice: (notice) => notices.push(notice) });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => store.close());
      await createKeys(writer, recordOf("key_1"));
      let hints = 0;
      store.onHint(() => hints++);
      await waitFor("the first hint", () => hints > 0);
      await server.stop(signal);
      await expect(within("an answer", store.getKey("key_1"), 5_000)).rejects.toBeInstanceOf(Error);
      await expect(within("an answer", store.cursor(), 5_000)).rejects.toBeInstanceOf(Error);
      await waitFor("a notice", () => notices.some((notice) => notice.includes("notifications")));
      const before = hints;
      await server.start();
      // What was missed meanwhile is looked for.
      await waitFor("a hint at the reconnection", () => hints > before);
      expect(await waitFor("the store", () => store.getKey("key_1"))).toStrictEqual(recordOf("key_1"));
      await waitFor("the writer", () => writer.ping().then(() => true));
      const quiet = hints;
      await createKeys(writer, recordOf("key_2"));
      await waitFor("a hint", () => hints > quiet);
      expect(await store.getKey("key_2")).toBeDefined();
      // Once an outage, not once an attempt.
      expect(notices.filter((notice) => notice.includes("notifications"))).toHaveLength(1);
    },
  );

  test("a write whose connection is cut is whole or not at all, and the next one works", async () => {
    await using bed = await makePostgresBed(server);
    const store = await bed.open();
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    const acknowledged = new Set<string>();
    const over = new AbortController();
    const cutting = (async () => {
      while (!over.signal.aborted) await server.query(cut, bed.url);
    })();
    // Until some were refused: on a slow machine the cuts may all fall between two writes.
    for (let i = 0; i < 200 || acknowledged.size === i; i++) {
      const records = [recordOf(`key_${i}_a`), recordOf(`key_${i}_b`)];
      await store.writeKeys(records.map(created), [auditOf(`key_${i}`)], NOW_MS).then(
        () => acknowledged.add(`key_${i}`),
        () => undefined,
      );
    }
    over.abort();
    await cutting;
    await waitFor("the store", () => store.ping().then(() => true));
    const keys = await readSnapshot(store);
    const found = new Set(keys.map(({ id }) => id.slice(0, -2)));
    expect(keys).toHaveLength(found.size * 2);
    for (const id of acknowledged) expect(found).toContain(id);
    expect((await store.cursor()).rev).toBe(keys.length);
    expect(await store.changesSince(0, 100_000)).toHaveLength(keys.length);
  });

  test("a snapshot that is cut fails instead of ending early", async () => {
    await using bed = await makePostgresBed(server);
    const store = await bed.open();
    const records = Array.from({ length: 2_500 }, (_, i) => recordOf(`key_${i}`));
    await store.writeKeys(records.map(created), [], NOW_MS);
    const reading = (async () => {
      for await (const _ of store.snapshot()) {
        await server.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND state = 'idle in transaction'`,
          bed.url,
        );
      }
    })();
    await expect(reading).rejects.toBeInstanceOf(Error);
    expect(await readSnapshot(store)).toHaveLength(records.length);
  });

  test("readers of snapshots who stop halfway keep no writer waiting", async () => {
    await using bed = await makePostgresBed(server);
    const store = await bed.open();
    const records = Array.from({ length: 1_500 }, (_, i) => recordOf(`key_${i}`));
    await store.writeKeys(records.map(created), [], NOW_MS);
    const readers = Array.from({ length: 4 }, () => store.snapshot()[Symbol.asyncIterator]());
    for (const reader of readers) await reader.next();
    for (let i = 0; i < 20; i++) await createKeys(store, recordOf(`new_${i}`));
    expect((await store.cursor()).rev).toBe(records.length + 20);
    // Closing does not wait for them either.
    await within("the store to close", store.close(), 5_000);
  });

  test("only a change of keys notifies others", async () => {
    await using bed = await makePostgresBed(server);
    const store = await bed.open();
    const listener = new pg.Client({ connectionString: bed.url });
    await listener.connect();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => listener.end());
    let heard = 0;
    listener.on("notification", () => heard++);
    await listener.query("LISTEN keyward_changes");
    await store.addUsage(usageBatch([usageItem("key_1")]), NOW_MS);
    await store.putGateStatus({ gate: "g", version: "1", keys: 0, staleness_ms: 0 }, NOW_MS);
    await store.putOrganization("org_1", undefined, auditOf("org_1"), NOW_MS);
    await store.beginIdempotent("k", "f", NOW_MS);
    await store.thinUsage(NOW_MS);
    await store.writeKeys([], [auditOf("key_1")], NOW_MS);
    const refused = store.writeKeys(
      [{ ...created(recordOf("key_9")), expected: recordOf("key_9") }],
      [],
      NOW_MS,
    );
    await expect(refused).rejects.toMatchObject({ kind: "not_found" });
    await listener.query("SELECT 1");
    expect(heard).toBe(0);
    await createKeys(store, recordOf("key_1"));
    await listener.query("SELECT 1");
    expect(heard).toBe(1);
  });

  test("it needs no right but that to its own schema, and touches no other", async () => {
    await using bed = await makePostgresBed(server);
    await server.query("DROP ROLE IF EXISTS registry; CREATE ROLE registry LOGIN");
    await server.query(
      "CREATE SCHEMA keyward AUTHORIZATION registry; CREATE TABLE public.keys (id int)",
      bed.url,
    );
    const store = await openStore(bed.url.replace("postgres@", "registry@"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => store.close());
    await store.migrate();
    await createKeys(store, recordOf("key_1"));
    expect(await readSnapshot(store)).toHaveLength(1);
    const tables = await server.query(
      `SELECT table_schema, count(*)::int FROM information_schema.tables
       WHERE table_schema IN ('keyward', 'public') GROUP BY 1 ORDER BY 1`,
      bed.url,
    );
    expect(tables).toEqual([
      { table_schema: "keyward", count: 16 },
      { table_schema: "public", count: 1 },
    ]);
    await server.query("DROP OWNED BY registry", bed.url);
  });

  test("a server that is not there is told at once; a backup is left to its own tools", async () => {
    await using bed = await makePostgresBed(server);
    const store = await bed.open();
    await expect(store.backup("copy.db")).rejects.toThrow(/pg_dump/);
    const nowhere = await openStore("postgres://postgres@127.0.0.1:1/none");
    await expect(nowhere.migrate()).rejects.toThrow(/ECONNREFUSED/);
    await expect(nowhere.ping()).rejects.toThrow(/ECONNREFUSED/);
    await nowhere.close();
  });
});
