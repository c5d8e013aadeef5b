/** A revocation takes effect within a second, whatever else happens: also while somebody reads weeks of usage. */
import { expect, test } from "vitest";
import { startRegistry } from "../../support/registry-scene.ts";
import { seedUsage } from "../../support/usage-seed.ts";

test("a large usage query does not hold up a revocation", async () => {
  await using registry = await startRegistry();
  const key = await registry.makeKey({ name: "to be revoked" });
  const keys = Array.from({ length: 1000 }, (_, index) => `key_${index}`);
  seedUsage(registry.databaseFile, { keys, nowMs: Date.now(), minutes: 0, hours: 600, days: 25 });
  const from = new Date(Date.now() - 24 * 86_400_000).toISOString();
  let isAnswered = false;
  const usage = registry
    .call(`GET /v1/usage?step=hour&group_by=environment&from=${from}`, { role: "viewer" })
    .finally(() => {
      isAnswered = true;
    });
  const startMs = performance.now();
  const revoked = await registry.call(`DELETE /v1/api-keys/${key.id}`);
  const tookMs = performance.now() - startMs;
  expect(revoked.status).toBe(200);
  expect(!isAnswered || tookMs < 1000).toBe(true);
  expect((await usage).status).toBe(200);
});
