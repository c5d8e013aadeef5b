/** The registry's operations port: readiness, metrics that promtool accepts, and a log without secrets. */
import { expect, test } from "vitest";
import { ask } from "../../support/http-client.ts";
import { readSeries } from "../../support/metrics-text.ts";
import { checkMetrics } from "../../support/prometheus.ts";
import { startRegistryProcess } from "../../support/registry-process.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { requireTool } from "../../support/tools.ts";

const promtool = requireTool("promtool", "promtool accepts the registry's metrics page");

const ENV = {
  KEYWARD_REGISTRY_ADMIN_TOKEN: "admin-token-0123456789",
  KEYWARD_REGISTRY_GATE_TOKEN: "gate-token-0123456789",
};
const JSON_TYPE = { "content-type": "application/json" };

test("metrics count requests, problems, keys by status, gates and usage batches", async () => {
  await using folder = await makeTempFolder();
  await using registry = await startRegistryProcess(folder, "", ENV);
  const admin = { key: ENV.KEYWARD_REGISTRY_ADMIN_TOKEN, headers: JSON_TYPE };
  const gate = { key: ENV.KEYWARD_REGISTRY_GATE_TOKEN, headers: JSON_TYPE };
  const made = await ask(`${registry.url}/v1/api-keys`, {
    ...admin,
    method: "POST",
    body: '{"organization":"o"}',
  });
  const { id, secret } = made.json() as { id: string; secret: string };
  await ask(`${registry.url}/v1/api-keys`, { ...admin, method: "POST", body: '{"organization":"o"}' });
  await ask(`${registry.url}/v1/api-keys/${id}`, { ...admin, method: "DELETE" });
  await ask(`${registry.url}/v1/api-keys/${secret}?token=${secret}`, admin);
  await ask(`${registry.url}/${secret}`, { key: secret });
  const epoch = (await ask(`${registry.url}/v1/gate/keys`, gate)).headers.etag?.slice(1).split(":")[0];
  const status = { gate: "g-1", version: "1", keys: 2, staleness_ms: 0, epoch, rev: 2 };
  await ask(`${registry.url}/v1/gate/status`, { ...gate, method: "POST", body: JSON.stringify(status) });
  const at = "2026-11-21T00:00:00Z";
  const batch = { gate: "g-1", boot: "b", seq: 1, from: at, to: at, items: [] };
  for (let i = 0; i < 2; i++) {
    await ask(`${registry.url}/v1/gate/usage`, { ...gate, method: "POST", body: JSON.stringify(batch) });
  }

  const page = await ask(`${registry.opsUrl}/metrics`);
  const series = readSeries(page.text);
  const valueOf = (name: string): number | undefined => series.get(`keyward_registry_${name}`);
  expect(valueOf('http_requests_total{route="/v1/api-keys",method="POST",code="201"}')).toBe(2);
  expect(valueOf('http_requests_total{route="_none",method="GET",code="404"}')).toBe(1);
  expect(valueOf('problems_total{code="not_found"}')).toBe(2);
  expect(valueOf('problems_total{code="busy"}')).toBe(0);
  expect(valueOf("revision")).toBe(3);
  expect(valueOf('keys{status="active"}')).toBe(1);
  expect(valueOf('keys{status="revoked"}')).toBe(1);
  expect(valueOf("gates")).toBe(1);
  expect(valueOf('gate_lag_revisions{gate="g-1"}')).toBe(1);
  expect(valueOf('usage_batches_received_total{result="counted"}')).toBe(1);
  expect(valueOf('usage_batches_received_total{result="repeated"}')).toBe(1);
  expect(valueOf("store_silence_seconds")).toBeLessThan(5);

  const ready = await ask(`${registry.opsUrl}/readyz?verbose`);
  expect(ready.json()).toMatchObject({ status: "ready" });
  expect((await ask(`${registry.opsUrl}/version`)).json()).toMatchObject({ name: "keyward registry" });

  await registry.stop();
  expect(registry.log.filter(({ msg }) => msg === "request").length).toBeGreaterThan(8);
  for (const hidden of [secret, ...Object.values(ENV)]) {
    expect(registry.output).not.toContain(hidden);
    expect(page.text).not.toContain(hidden);
  }
});

test.skipIf(promtool === undefined)("promtool finds nothing wrong with the page", async () => {
  await using folder = await makeTempFolder();
  await using registry = await startRegistryProcess(folder, "", ENV);
  await ask(`${registry.url}/v1/api-keys`, { key: ENV.KEYWARD_REGISTRY_ADMIN_TOKEN });
  const page = await ask(`${registry.opsUrl}/metrics`);
  expect(await checkMetrics(promtool ?? "", page.text)).toBe("");
});
