/** A real Prometheus that scrapes what a test tells it to, and promtool's opinion of a metrics page. */
import { stringify } from "yaml";
import { type Child, runChild, startChild } from "./child.ts";
import { freePort } from "./listening.ts";
import type { TempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

/** One series of an instant query. */
export interface QueryResult {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus extends AsyncDisposable {
  /** Evaluates PromQL now. */
  query(expression: string): Promise<readonly QueryResult[]>;
  /** The target's last scrape error; empty when it went well, undefined before the first scrape. */
  scrapeError(): Promise<string | undefined>;
}

export interface PrometheusOptions {
  /** The program, from `requireTool("prometheus", …)`. */
  readonly program: string;
  /** Host and port whose `/metrics` is scraped every second; several by job. */
  readonly target: string | Readonly<Record<string, string>>;
  /** Absolute paths of rule files, evaluated every second. */
  readonly ruleFiles?: readonly string[];
  /** For its config and storage. */
  readonly folder: TempFolder;
}

const START_ATTEMPTS = 3;

/** Starts and waits until it answers queries. The first scrape comes some five seconds later. */
export async function startPrometheus({
  program,
  target,
  ruleFiles = [],
  folder,
}: PrometheusOptions): Promise<Prometheus> {
  const targets = typeof target === "string" ? { keyward: target } : target;
  const configFile = await folder.write(
    "prometheus.yaml",
    stringify({
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: ruleFiles,
      scrape_configs: Object.entries(targets).map(([job, address]) => ({
        job_name: job,
        static_configs: [{ targets: [address] }],
      })),
    }),
  );
  for (let attempt = 1; ; attempt++) {
    // It cannot be given port 0, and a free port may be taken by the time it opens it.
    const port = await freePort();
    const child = await startChild(program, [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${folder.file(`storage-${attempt}`)}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ]);
    try {
      await waitUntilReady(child, port);
      return prometheusAt(child, port);
    } catch (error) {
      await child[Symbol.asyncDispose]();
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function waitUntilReady(child: Child, port: number): Promise<void> {
  const state = await waitFor("Prometheus to be ready", async () => {
    if (child.exit !== undefined) return "ended";
    const response = await fetch(`http://127.0.0.1:${port}/-/ready`);
    await response.arrayBuffer();
    return response.ok && "ready";
  });
  if (state === "ended") throw new Error(`Prometheus ended at its start\n${child.stdout}\n${child.stderr}`);
}

function prometheusAt(child: Child, port: number): Prometheus {
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== "success") throw new Error(`Prometheus refused ${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    async query(expression) {
      const data = await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async scrapeError() {
      const data = await ask("/api/v1/targets");
      const [target] = (data as { activeTargets: { health: string; lastError: string }[] }).activeTargets;
      return target === undefined || target.health === "unknown" ? undefined : target.lastError;
    },
    async [Symbol.asyncDispose]() {
      await child.stop("SIGTERM", 10_000);
    },
  };
}

/** What `promtool check metrics` finds wrong with a page; empty when nothing. */
export async function checkMetrics(promtool: string, page: string): Promise<string> {
  const { code, stdout, stderr } = await runChild(promtool, ["check", "metrics"], { input: page });
  const findings = `${stdout}${stderr}`.trim();
  return code === 0 ? findings : `exit ${code}: ${findings}`;
}
