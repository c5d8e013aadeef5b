/**
 * The tests that mutants have to get past: those that take milliseconds and need no process. Stryker
 * runs for each mutant only those of them that reach it.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  cacheDir: ".cache/vite-mutation",
  test: {
    setupFiles: ["test/support/setup.ts"],
    include: ["test/{unit,property}/{base,gate,keys,errors}/**/*.test.ts"],
    testTimeout: 30_000,
    // A few runs of a property find a broken line; thousands of mutants cannot wait for more.
    env: { KEYWARD_PROPERTY_RUNS: "50" },
  },
});
