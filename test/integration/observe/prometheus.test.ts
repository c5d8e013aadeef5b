import { describe, expect, test } from "vitest";
import { type QueryResult, startPrometheus } from "../../support/prometheus.ts";
import { KEY_ID, scrapeTargets } from "../../support/scrape-targets.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { requireTool } from "../../support/tools.ts";
import { waitFor } from "../../support/wait-for.ts";

const program = requireTool("prometheus", "a real Prometheus scrapes a key's requests");

describe.skipIf(program === undefined)("a real Prometheus", () => {
  test.for(scrapeTargets)(
    "scrapes %s and answers what one key used",
    { timeout: 60_000 },
    async ([, startTarget]) => {
      await using target = await startTarget();
      await using folder = await makeTempFolder();
      await using prometheus = await startPrometheus({
        program: program ?? "",
        target: target.address,
        folder,
      });
      const ask = async (expression: string, isThere: (value: number) => boolean): Promise<QueryResult> =>
        await waitFor(
          `${expression} (scrape error: ${await prometheus.scrapeError()})`,
          async () => (await prometheus.query(expression)).find(({ value }) => isThere(value)),
          { deadlineMs: 30_000, everyMs: 200 },
        );

      await target.use(3);
      const requests = `keyward_key_requests_total{key_id="${KEY_ID}",outcome="ok"}`;
      const { labels } = await ask(requests, (value) => value === 3);
      expect(labels).toMatchObject({
        organization: "org_acme",
        project: "proj_tech",
        environment: "live",
        job: "keyward",
      });
      expect(await prometheus.scrapeError()).toBe("");

      await target.use(4);
      await ask(requests, (value) => value === 7);
      await ask(`rate(${requests}[10s])`, (value) => value > 0);
      await ask(
        "histogram_quantile(0.5, sum by (le) (keyward_request_duration_seconds_bucket))",
        (value) => value > 0,
      );
      await ask(
        `time() - keyward_key_last_used_timestamp_seconds{key_id="${KEY_ID}"}`,
        (value) => value < 60,
      );
      await ask("keyward_build_info", (value) => value === 1);
    },
  );
});
