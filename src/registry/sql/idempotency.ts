/**
 * Answers that a repeated POST gets again. A request first reserves its key; a reservation that is
 * neither answered nor given up, because its process died, lapses after a minute.
 */
import { type IdempotentAnswer, StoreConflict } from "../store.ts";
import { select, type Work } from "./work.ts";

const RESERVED_MS = 60_000;
const KEPT_MS = 24 * 3_600_000;

interface AnswerRow {
  readonly fingerprint: string;
  readonly status: number | null;
  readonly body: string | null;
}

export function* beginIdempotent(
  key: string,
  fingerprint: string,
  nowMs: number,
): Work<IdempotentAnswer | "in_progress" | undefined> {
  yield* forgetAnswers(nowMs);
  const [reserved] = yield* select(
    `INSERT INTO idempotency (key, fingerprint, begun_ms, expires_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (key) DO NOTHING RETURNING key`,
    key,
    fingerprint,
    nowMs,
    nowMs + RESERVED_MS,
  );
  if (reserved !== undefined) return undefined;
  const [row] = yield* select<AnswerRow>(
    "SELECT fingerprint, status, body FROM idempotency WHERE key = $1",
    key,
  );
  // Gone between the two statements: whoever had it gave up, and a repeat will find it free.
  if (row === undefined || row.status === null || row.body === null) return "in_progress";
  return { fingerprint: row.fingerprint, status: row.status, body: row.body };
}

/** Refused when the reservation lapsed and another request may have taken its place. */
export function* answerReserved(key: string, answer: IdempotentAnswer): Work<void> {
  if (!(yield* finishIdempotent(key, answer)))
    throw new StoreConflict("state", "the Idempotency-Key is no longer reserved");
}

/** @returns false when the key was not reserved */
export function* finishIdempotent(
  key: string,
  { fingerprint, status, body }: IdempotentAnswer,
): Work<boolean> {
  const [row] = yield* select(
    `UPDATE idempotency SET status = $1, body = $2, expires_ms = begun_ms + $3
     WHERE key = $4 AND fingerprint = $5 AND status IS NULL RETURNING key`,
    status,
    body,
    KEPT_MS,
    key,
    fingerprint,
  );
  return row !== undefined;
}

export function* abandonIdempotent(key: string): Work<void> {
  yield* select("DELETE FROM idempotency WHERE key = $1 AND status IS NULL", key);
}

export function* forgetAnswers(nowMs: number): Work<void> {
  yield* select("DELETE FROM idempotency WHERE expires_ms <= $1", nowMs);
}
