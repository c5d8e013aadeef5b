/** The measurement of a large registry, with a small one. The long form of a million keys: `npm run bench:registry`. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChild } from "../support/child.ts";
import { projectRoot } from "../support/source-files.ts";

const KEYS = 20_000;

interface Figures {
  readonly keys: number;
  readonly heap_bytes_per_key: number;
  readonly change_ms: { readonly p50: number };
}

test("a key held in sync with a registry takes at most 400 bytes of heap", { timeout: 120_000 }, async () => {
  const args = ["--from", "own", "--mode", "sync", "--keys", String(KEYS), "--json"];
  const { code, stdout, stderr } = await runChild(
    process.execPath,
    [join(projectRoot, "bench/registry-keys.ts"), ...args],
    { deadlineMs: 100_000 },
  );
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  const [figures] = JSON.parse(stdout) as Figures[];
  // What a source takes without any keys is in it; a million of them share that.
  expect(figures?.heap_bytes_per_key).toBeLessThanOrEqual(400);
  expect(figures?.change_ms.p50).toBeLessThan(5000);
});
