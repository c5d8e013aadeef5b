/**
 * What is counted per key. The numbers live on the key (`KeyCounters`); this file says what one
 * exchange adds to them and writes them out at scrape. Labels are ids, never a secret.
 */
import { denialKinds } from "../errors/catalogue.ts";
import type { Exchange } from "../gate/exchange.ts";
import type { KeyCounters, KeyOutcome } from "../keys/counters.ts";
import { type Sample, labelText, seriesName } from "./exposition.ts";

/** A key as far as its dates are exposed; a compiled key is one. */
export interface KnownKey {
  readonly id: string;
  readonly organization: { readonly id: string };
  readonly project: { readonly id: string } | undefined;
  readonly environment: string | undefined;
  readonly createdAtMs: number | undefined;
  /** `Infinity` where there is none, as for `revokedAtMs`. */
  readonly expiresAtMs: number;
  readonly revokedAtMs: number;
}

/**
 * Adds a finished exchange to the usage of its key. A request is either admitted (counted by
 * outcome, with its bytes and time) or refused to this key (counted as denied): the two add up.
 */
export function countKey(exchange: Exchange, counters: KeyCounters, nowMs: number): void {
  if (isKeyDenied(exchange)) {
    counters.denied++;
    return;
  }
  counters.requests[outcomeOf(exchange)]++;
  if (exchange.key?.rotation !== undefined) counters.rotating++;
  counters.bytesIn += exchange.bytesIn;
  counters.bytesOut += exchange.bytesOut;
  // The wall clock may be set back; "last used" must not follow it.
  if (nowMs > counters.lastUsedMs) counters.lastUsedMs = nowMs;
}

/**
 * Was the key refused? A Keyward error that is not about the key (the upstream is away, the body is
 * too large) is an outcome of an admitted request instead, or an outage would look like an attack.
 */
export function isKeyDenied(exchange: Exchange): boolean {
  if (exchange.denial === undefined) return false;
  const { status } = denialKinds[exchange.denial];
  return status === 401 || status === 403 || status === 429;
}

function outcomeOf(exchange: Exchange): KeyOutcome {
  if (exchange.aborted) return "aborted";
  if (exchange.status >= 500) return "server_error";
  return exchange.status >= 400 ? "client_error" : "ok";
}

export function keyRequestSamples(all: Iterable<KeyCounters>): Iterable<Sample> {
  return perKey(all, (key, labels) =>
    Object.entries(key.requests).map(([outcome, count]) => [
      `keyward_key_requests_total{${labels},outcome="${outcome}"}`,
      count,
    ]),
  );
}

export function keyDeniedSamples(all: Iterable<KeyCounters>): Iterable<Sample> {
  return perKey(all, (key, labels) => [[`keyward_key_denied_total{${labels}}`, key.denied]]);
}

/** Only keys that have any: most never do. */
export function keyRotatingSamples(all: Iterable<KeyCounters>): Iterable<Sample> {
  return perKey(all, (key, labels) =>
    key.rotating === 0 ? [] : [[`keyward_key_rotating_requests_total{${labels}}`, key.rotating]],
  );
}

export function keyByteSamples(all: Iterable<KeyCounters>): Iterable<Sample> {
  return perKey(all, (key, labels) => [
    [`keyward_key_bytes_total{${labels},direction="in"}`, key.bytesIn],
    [`keyward_key_bytes_total{${labels},direction="out"}`, key.bytesOut],
  ]);
}

export function keyLastUsedSamples(all: Iterable<KeyCounters>): Iterable<Sample> {
  return perKey(all, (key, labels) =>
    key.lastUsedMs === 0
      ? []
      : [[`keyward_key_last_used_timestamp_seconds{${labels}}`, key.lastUsedMs / 1000]],
  );
}

function* perKey(
  all: Iterable<KeyCounters>,
  samplesOf: (key: KeyCounters, labels: string) => Sample[],
): Generator<Sample> {
  for (const key of all) {
    const { keyId, organization, project, environment } = key;
    yield* samplesOf(key, labelText({ key_id: keyId, organization, project, environment }));
  }
}

/**
 * One date of each key that is not revoked; keys without that date have no series. Looks at the
 * first `max` keys and no further, so that a million keys cost a scrape no more than a thousand.
 */
export function* keyDateSamples(
  name: string,
  keys: Iterable<KnownKey>,
  max: number,
  dateMs: (key: KnownKey) => number | undefined,
): Generator<Sample> {
  let seen = 0;
  for (const key of keys) {
    if (seen++ >= max) return;
    const ms = dateMs(key);
    if (ms === undefined || !Number.isFinite(ms) || Number.isFinite(key.revokedAtMs)) continue;
    const labels = {
      key_id: key.id,
      organization: key.organization.id,
      project: key.project?.id ?? "",
      environment: key.environment ?? "",
    };
    yield [seriesName(name, labels), ms / 1000];
  }
}
