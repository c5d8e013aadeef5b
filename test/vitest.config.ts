/**
 * How the tests run. A folder of test/ is a project. Everything that only computes or uses sockets
 * of its own runs side by side; what measures time or memory, or starts whole processes, runs alone
 * and last, so that a busy neighbour cannot make it fail.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";

const SECOND = 1000;
const isCI = process.env["CI"] !== undefined;

interface Rules {
  /** Groups run one after the other, lowest first. */
  readonly order: number;
  readonly timeoutMs: number;
  /** One file at a time. */
  readonly serial?: true;
}

function project(name: string, { order, timeoutMs, serial }: Rules): TestProjectConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      sequence: { groupOrder: order },
      ...(serial ? { fileParallelism: false } : {}),
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  cacheDir: ".cache/vite",
  test: {
    pool: "forks",
    // One less than the cores would be one of two; most of these tests wait for something.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ["test/support/setup.ts"],
    projects: [
      project("unit", { order: 0, timeoutMs: 10 * SECOND }),
      project("meta", { order: 0, timeoutMs: 60 * SECOND }),
      project("property", { order: 0, timeoutMs: 120 * SECOND }),
      project("integration", { order: 1, timeoutMs: 30 * SECOND }),
      project("security", { order: 1, timeoutMs: 30 * SECOND }),
      project("registry", { order: 1, timeoutMs: 60 * SECOND }),
      project("monitoring", { order: 1, timeoutMs: 180 * SECOND }),
      project("container", { order: 1, timeoutMs: 300 * SECOND }),
      project("helm", { order: 1, timeoutMs: 60 * SECOND }),
      project("wire", { order: 2, timeoutMs: 30 * SECOND, serial: true }),
      project("differential", { order: 3, timeoutMs: 120 * SECOND, serial: true }),
      project("fuzz", { order: 5, timeoutMs: 120 * SECOND, serial: true }),
      project("faults", { order: 4, timeoutMs: 300 * SECOND, serial: true }),
      project("soak", { order: 5, timeoutMs: 120 * SECOND, serial: true }),
      project("e2e", { order: 3, timeoutMs: 180 * SECOND, serial: true }),
      project("console", { order: 6, timeoutMs: 120 * SECOND, serial: true }),
      project("cluster", { order: 6, timeoutMs: 180 * SECOND, serial: true }),
    ],
    allowOnly: !isCI,
  },
});
