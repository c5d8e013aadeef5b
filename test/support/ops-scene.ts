/** An operations server on a free port, with metrics that tests feed. */
import { systemClock } from "../../src/base/clock.ts";
import { KeyCounterTable } from "../../src/keys/counters.ts";
import { GateMetrics } from "../../src/observe/gate-metrics.ts";
import type { MetricsPage } from "../../src/observe/metrics-page.ts";
import { OpsServer, type ReadinessCheck } from "../../src/observe/ops-server.ts";
import { pageOf } from "./metrics-text.ts";

export interface OpsScene extends AsyncDisposable {
  readonly server: OpsServer;
  readonly port: number;
  readonly url: string;
  readonly metrics: GateMetrics;
  readonly keyCounters: KeyCounterTable;
  /** What the server reported to the program log. */
  readonly errors: readonly string[];
}

export interface OpsSceneOptions {
  readonly readiness?: () => readonly ReadinessCheck[];
  readonly page?: MetricsPage;
  /** Any free one without it. */
  readonly port?: number;
}

export async function startOpsScene(options: OpsSceneOptions = {}): Promise<OpsScene> {
  const { readiness = () => [], page } = options;
  const keyCounters = new KeyCounterTable(1000);
  const metrics = new GateMetrics({ clock: systemClock, version: "1.2.3", keyCounters, maxKeys: 1000 });
  const errors: string[] = [];
  const server = new OpsServer({
    name: "keyward",
    version: "1.2.3",
    readiness,
    metrics: page ?? pageOf(metrics, true),
    log: { error: (message, _fields, error) => void errors.push(`${message}: ${String(error)}`) },
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: options.port ?? 0 });
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    metrics,
    keyCounters,
    errors,
    [Symbol.asyncDispose]: () => server.close(),
  };
}
