/** A PostgreSQL database of a test's own, on a server that a file's tests share. */
import { postgresMigrations } from "../../../src/registry/migrations/postgres.ts";
import { openStore } from "../../../src/registry/open-store.ts";
import type { PostgresServer } from "../../support/postgres.ts";
import { OpenStores, schemaOf, type StoreBed } from "./bed.ts";

export async function makePostgresBed(server: PostgresServer): Promise<StoreBed> {
  const stores = new OpenStores();
  const url = await server.newDatabase();
  const openUnmigrated: StoreBed["open"] = async () =>
    stores.add(await openStore(url, { connectionsMax: 5 }));
  return {
    url,
    openUnmigrated,
    async open() {
      const store = await openUnmigrated();
      await store.migrate();
      return store;
    },
    async makeSchema(version) {
      const schema = schemaOf(postgresMigrations, version);
      await server.query(`CREATE SCHEMA keyward; SET search_path = keyward; ${schema}`, url);
    },
    async execute(sql) {
      await server.query(`SET search_path = keyward; ${sql}`, url);
    },
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  };
}
