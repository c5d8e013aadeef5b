/**
 * Which batches were counted. A gate numbers its batches from 1 and sends them in order, as a rule, so
 * that one row a start of a gate says it all: everything up to `done_seq`. Only what overtook an
 * earlier batch has a row of its own.
 */
import type { UsageBatch } from "../../keys/wire.ts";
import { select, type Work } from "./work.ts";

/** An earlier batch that has not come by then was dropped by its gate; if it comes, it is not counted. */
const OVERTAKEN_MS_MAX = 7 * 86_400_000;
/** A start of a gate that was silent for so long is over; must not be shorter than batches may be late. */
const SILENT_MS_MAX = 32 * 86_400_000;

type BatchId = Pick<UsageBatch, "gate" | "boot" | "seq">;

export function* batchIsNew({ gate, boot, seq }: BatchId, nowMs: number): Work<boolean> {
  // Also locks the row: the same batch in another connection waits here until this one is counted.
  const [row] = yield* select<{ readonly done_seq: number }>(
    `INSERT INTO usage_boots (gate, boot, done_seq, seen_ms) VALUES ($1, $2, 0, $3)
     ON CONFLICT (gate, boot) DO UPDATE SET seen_ms = excluded.seen_ms RETURNING done_seq`,
    gate,
    boot,
    nowMs,
  );
  const done = row?.done_seq ?? 0;
  if (seq <= done) return false;
  if (seq === done + 1) {
    yield* advance(gate, boot, seq);
    return true;
  }
  const [added] = yield* select(
    `INSERT INTO usage_batches (gate, boot, seq, seen_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING seq`,
    gate,
    boot,
    seq,
    nowMs,
  );
  return added !== undefined;
}

/** Marks everything up to `seq` and what follows it without a gap. */
function* advance(gate: string, boot: string, seq: number): Work<void> {
  const overtaking = yield* select<{ readonly seq: number }>(
    "SELECT seq FROM usage_batches WHERE gate = $1 AND boot = $2 ORDER BY seq",
    gate,
    boot,
  );
  let done = seq;
  for (const batch of overtaking) if (batch.seq === done + 1) done++;
  yield* select("UPDATE usage_boots SET done_seq = $1 WHERE gate = $2 AND boot = $3", done, gate, boot);
  if (overtaking.length === 0) return;
  yield* select("DELETE FROM usage_batches WHERE gate = $1 AND boot = $2 AND seq <= $3", gate, boot, done);
}

export function* forgetBatches(nowMs: number): Work<void> {
  const stuck = yield* select<BatchId>(
    `SELECT gate, boot, MAX(seq) AS seq FROM usage_batches WHERE seen_ms < $1
     GROUP BY gate, boot ORDER BY gate, boot`,
    nowMs - OVERTAKEN_MS_MAX,
  );
  for (const { gate, boot, seq } of stuck) {
    // Locks the row before it is read, as `batchIsNew` does.
    const [row] = yield* select<{ readonly done_seq: number }>(
      "UPDATE usage_boots SET done_seq = done_seq WHERE gate = $1 AND boot = $2 RETURNING done_seq",
      gate,
      boot,
    );
    yield* advance(gate, boot, Math.max(seq, row?.done_seq ?? 0));
  }
  yield* select("DELETE FROM usage_boots WHERE seen_ms < $1", nowMs - SILENT_MS_MAX);
}
