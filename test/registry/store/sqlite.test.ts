import { describe } from "vitest";
import { storeContract } from "./contract.ts";
import { makeSqliteBed } from "./sqlite-bed.ts";

describe("SQLite", () => {
  storeContract(makeSqliteBed);
});
