/** What every store must do, whatever engine it stands on. */
import { describe } from "vitest";
import type { MakeBed } from "./bed.ts";
import { changesContract } from "./contract-changes.ts";
import { concurrencyContract } from "./contract-concurrency.ts";
import { idempotencyContract } from "./contract-idempotency.ts";
import { keysContract } from "./contract-keys.ts";
import { listContract } from "./contract-list.ts";
import { othersContract } from "./contract-others.ts";
import { schemaContract } from "./contract-schema.ts";
import { usageSumsContract } from "./contract-usage-sums.ts";
import { usageContract } from "./contract-usage.ts";

export function storeContract(makeBed: MakeBed): void {
  describe("schema", () => {
    schemaContract(makeBed);
  });
  describe("keys", () => {
    keysContract(makeBed);
  });
  describe("changes and snapshots", () => {
    changesContract(makeBed);
  });
  describe("lists of keys", () => {
    listContract(makeBed);
  });
  describe("organizations, projects, tokens, gates and audit", () => {
    othersContract(makeBed);
  });
  describe("usage", () => {
    usageContract(makeBed);
    usageSumsContract(makeBed);
  });
  describe("idempotent answers", () => {
    idempotencyContract(makeBed);
  });
  describe("many at once", () => {
    concurrencyContract(makeBed);
  });
}
