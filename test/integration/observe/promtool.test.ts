import { describe, expect, test } from "vitest";
import { denialCodes } from "../../../src/errors/catalogue.ts";
import { makeCountedKey, observe } from "../../support/exchanges.ts";
import { startOpsScene } from "../../support/ops-scene.ts";
import { checkMetrics } from "../../support/prometheus.ts";
import { scrapeTargets } from "../../support/scrape-targets.ts";
import { requireTool } from "../../support/tools.ts";

const promtool = requireTool("promtool", "promtool accepts the metrics page");

describe.skipIf(promtool === undefined)("promtool check metrics", () => {
  test("finds nothing wrong with a page of every kind of series", async () => {
    await using scene = await startOpsScene();
    const key = makeCountedKey(scene.keyCounters, "key_x");
    for (const route of ["GET /v1/memories/{id}", 'quo"te\\and\nbreak', "ünïcode", undefined]) {
      observe(scene.metrics, { route, key, upstreamMs: 3, bytesIn: 1, bytesOut: 2 });
      observe(scene.metrics, { route, key, status: 502, denial: "upstream_failed", upstreamError: "reset" });
      observe(scene.metrics, { route, method: "BREW", status: 0, aborted: true });
    }
    for (const denial of denialCodes) observe(scene.metrics, { denial, status: 403 });
    const page = await (await fetch(`${scene.url}/metrics`)).text();
    expect(await checkMetrics(promtool ?? "", page)).toBe("");
  });

  test.for(scrapeTargets)(
    "finds nothing wrong with the page of %s, before and after use",
    async ([, start]) => {
      await using target = await start();
      const check = async (): Promise<string> =>
        await checkMetrics(promtool ?? "", await (await fetch(`http://${target.address}/metrics`)).text());
      expect(await check()).toBe("");
      await target.use(2);
      expect(await check()).toBe("");
    },
  );

  test("would find what is wrong", async () => {
    expect(await checkMetrics(promtool ?? "", "# TYPE x_total gauge\nx_total 1\n")).not.toBe("");
  });
});
