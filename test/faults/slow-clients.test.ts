/**
 * A thousand slow clients (slowhttptest in its three modes) do not shut a good one out. The long
 * form is `npm run slow`.
 */
import { describe, expect, test } from "vitest";
import { requireTool } from "../support/tools.ts";
import { runSlowAttack, slowModes } from "./slow-attack.ts";

const tool = requireTool("slowhttptest", "a thousand slow clients");

/** Not a promise of speed: beyond this somebody would call the service down. */
const P99_MAX_MS = 3000;

describe.skipIf(tool === undefined)("a thousand clients that are slow with their", () => {
  test.each(slowModes)("%s leave a good client's service available", { timeout: 60_000 }, async (mode) => {
    const report = await runSlowAttack({ tool: tool ?? "", mode, connections: 1000, seconds: 10 });
    expect(report.attackers).toBe(1000);
    expect(report.failures).toEqual([]);
    expect(report.requests).toBeGreaterThan(20);
    expect(report.p99Ms).toBeLessThan(P99_MAX_MS);
  });
});
