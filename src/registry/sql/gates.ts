/** What each gate last said of itself. */
import type { GateStatus } from "../../keys/wire.ts";
import type { KnownGate } from "../store.ts";
import { select, type Work } from "./work.ts";

/** A gate that was silent for so long is gone: pods get new names. */
const SILENT_MS_MAX = 7 * 86_400_000;

export function* putGateStatus(status: GateStatus, nowMs: number): Work<void> {
  yield* select(
    `INSERT INTO gates (gate, status, seen_ms) VALUES ($1, $2, $3)
     ON CONFLICT (gate) DO UPDATE SET status = excluded.status, seen_ms = excluded.seen_ms`,
    status.gate,
    JSON.stringify(status),
    nowMs,
  );
}

export function* listGates(): Work<readonly KnownGate[]> {
  const rows = yield* select<{ readonly status: string; readonly seen_ms: number }>(
    "SELECT status, seen_ms FROM gates ORDER BY gate",
  );
  return rows.map(({ status, seen_ms }) => ({
    ...(JSON.parse(status) as GateStatus),
    seen_at: new Date(seen_ms).toISOString(),
  }));
}

export function* forgetGates(nowMs: number): Work<void> {
  yield* select("DELETE FROM gates WHERE seen_ms < $1", nowMs - SILENT_MS_MAX);
}
