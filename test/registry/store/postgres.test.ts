import { afterAll, beforeAll, describe } from "vitest";
import { findPostgres } from "../../support/postgres-programs.ts";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { storeContract } from "./contract.ts";
import { makePostgresBed } from "./postgres-bed.ts";

const programs = findPostgres("the store keeps its contract on PostgreSQL");

describe.skipIf(programs === undefined)("PostgreSQL", () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres(programs ?? "");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  storeContract(() => makePostgresBed(server));
});
