/** A SQLite file of a test's own. */
import { DatabaseSync } from "node:sqlite";
import { sqliteMigrations } from "../../../src/registry/migrations/sqlite.ts";
import { openStore } from "../../../src/registry/open-store.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { OpenStores, schemaOf, type StoreBed } from "./bed.ts";

export interface SqliteBed extends StoreBed {
  readonly file: string;
}

export async function makeSqliteBed(): Promise<SqliteBed> {
  const folder = await makeTempFolder();
  const stores = new OpenStores();
  const file = folder.file("registry.db");
  const url = `sqlite:${file}`;
  const openUnmigrated: StoreBed["open"] = async () => stores.add(await openStore(url));
  return {
    file,
    url,
    openUnmigrated,
    async open() {
      const store = await openUnmigrated();
      await store.migrate();
      return store;
    },
    async makeSchema(version) {
      using database = new DatabaseSync(file);
      database.exec(schemaOf(sqliteMigrations, version));
    },
    async execute(sql) {
      using database = new DatabaseSync(file);
      database.exec(sql);
    },
    async [Symbol.asyncDispose]() {
      await stores[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
