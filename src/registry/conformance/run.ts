/**
 * Runs the conformance checks in order, one after the other: each is small, and a server that is
 * being checked should not be loaded. Knows nothing of how results are shown.
 */
import type { Clock } from "../../base/clock.ts";
import { changesChecks } from "./changes-checks.ts";
import { type Check, fail, type Findings, skip, type Verdict } from "./check.ts";
import { ProtocolClient } from "./client.ts";
import { reportChecks } from "./report-checks.ts";
import { snapshotChecks } from "./snapshot-checks.ts";

export const conformanceChecks: readonly Check[] = [...snapshotChecks, ...changesChecks, ...reportChecks];

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly required: boolean;
  readonly outcome: Verdict["outcome"];
  readonly note: string | undefined;
  readonly ms: number;
}

export interface ConformanceTarget {
  readonly url: string;
  readonly token: string | undefined;
  readonly isReadOnly: boolean;
  readonly clock: Clock;
}

const TIMEOUT_MS = 60_000;

export async function checkRegistry(
  { url, token, isReadOnly, clock }: ConformanceTarget,
  onResult: (result: CheckResult) => void,
): Promise<readonly CheckResult[]> {
  const client = new ProtocolClient({ url, token, timeoutMs: TIMEOUT_MS, clock });
  const findings: Findings = {};
  const results: CheckResult[] = [];
  for (const check of conformanceChecks) {
    const startMs = clock.monotonic();
    const verdict =
      isReadOnly && check.isWriting === true
        ? skip("left out: it would leave a trace")
        : await check.run(client, findings).catch((error: unknown) => fail(messageOf(error)));
    const { id, title, isRequired: required } = check;
    const ms = Math.round(clock.monotonic() - startMs);
    const result = { id, title, required, outcome: verdict.outcome, note: verdict.note, ms };
    results.push(result);
    onResult(result);
  }
  return results;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says "fetch failed" and why in the cause.
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
