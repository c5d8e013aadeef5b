/**
 * A cluster in use from its start to its end: revocations measured one by one, then faults, then the
 * totals of usage held against what was sent. Every answer of every gate is judged all the while.
 */
import { startPostgres } from "../support/postgres.ts";
import { type FaultReport, clusterFaults, playFault } from "./cluster-faults.ts";
import { Cluster, type Key, TIMES } from "./cluster.ts";
import { Ledger } from "./ledger.ts";
import { type RevocationReport, type Scene, makeKeys, measureRevocations } from "./revocations.ts";
import { Traffic } from "./traffic.ts";
import { type UsageDifference, type UsageTotals, compareUsage } from "./usage-check.ts";

export interface ClusterRunOptions {
  /** Folder of PostgreSQL's programs. */
  readonly programs: string;
  readonly revocations: number;
  /** More faults, and longer ones. */
  readonly isLong: boolean;
  /** How the gates have their keys; `sync` unless told. */
  readonly mode?: "sync" | "lookup";
  readonly onProgress?: (what: string) => void;
}

export interface ClusterReport {
  readonly revocations: RevocationReport;
  readonly faults: readonly FaultReport[];
  readonly requests: number;
  readonly byStatus: Readonly<Record<number, number>>;
  /** Answers that are not as promised. */
  readonly violationCount: number;
  readonly violations: readonly string[];
  readonly usage: { readonly sent: UsageTotals; readonly differences: readonly UsageDifference[] };
  readonly seconds: number;
}

/** What a change may take in a cluster without faults; much more than it does, for busy machines. */
const SETTLE_MS = 5000;
const STEADY_KEYS = 12;
const CACHED_MS = 1000;

export async function runCluster({
  programs,
  revocations,
  isLong,
  mode = "sync",
  onProgress = () => undefined,
}: ClusterRunOptions): Promise<ClusterReport> {
  const startedMs = performance.now();
  onProgress("starting PostgreSQL, two registries and three gates");
  // A stop and a start must lose nothing that was acknowledged, and a crash neither.
  await using postgres = await startPostgres(programs, { isDurable: true });
  await using cluster = await Cluster.start({
    storage: await postgres.newDatabase(),
    registries: 2,
    gates: 3,
    gateOptions: () => ({ mode }),
    gateConfig: { cache: { ttl: `${CACHED_MS}ms`, max_stale: `${TIMES.maxStaleMs}ms` } },
  });
  const ledger = new Ledger({
    settleMs: SETTLE_MS,
    maxStaleMs: TIMES.maxStaleMs,
    // Where keys are looked up, what is known of one is as old as its place in the cache.
    heartbeatMs: 2 * TIMES.heartbeatMs + (mode === "lookup" ? 2 * CACHED_MS : 0),
    ...(mode === "lookup" && { isLookup: true }),
  });
  await using traffic = new Traffic(cluster, { ledger, paceMs: 20, clientsPerGate: 2 });
  const scene: Scene = { cluster, ledger, traffic };
  traffic.use(await makeKeys(scene, STEADY_KEYS));
  onProgress(`making ${revocations} keys`);
  const keys = await makeKeys(scene, revocations);
  const measured = await measureRevocations(scene, keys, (done) => {
    if (done % 20 === 0) onProgress(`${done} of ${revocations} revocations`);
  });
  const faults: FaultReport[] = [];
  for (const fault of clusterFaults(scene, postgres, isLong)) {
    onProgress(fault.name);
    faults.push(await playFault(scene, fault));
  }
  onProgress("comparing usage");
  await traffic.stop();
  await askRevokedAgain(scene, keys.slice(-10));
  await Promise.all(cluster.gates.map((gate) => gate.process.stop()));
  const usage = await compareUsage(cluster, traffic, mode === "sync");
  return {
    revocations: measured,
    faults,
    requests: traffic.requests,
    byStatus: traffic.byStatus,
    violationCount: traffic.violationCount,
    violations: traffic.violations,
    usage,
    seconds: (performance.now() - startedMs) / 1000,
  };
}

/** After everything that happened. */
async function askRevokedAgain({ cluster, traffic }: Scene, keys: readonly Key[]): Promise<void> {
  for (const key of keys) {
    for (const gate of cluster.gates) await traffic.ask(gate, key);
  }
}
