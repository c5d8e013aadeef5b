/** Exchanges as the gate hands them to observers, changed where the test says so. */
import { Exchange, type Observer } from "../../src/gate/exchange.ts";
import { digestOf } from "../../src/keys/digest.ts";
import type { CompiledKey } from "../../src/keys/compiled-key.ts";
import type { KeyCounterTable } from "../../src/keys/counters.ts";
import { compileForTest, keyRecord } from "./key-records.ts";

export type ExchangeFields = Partial<Exchange>;

/** An admitted GET that was answered in full, unless told otherwise. */
export function makeExchange({
  id,
  method,
  remoteAddress,
  startedMs,
  ...rest
}: ExchangeFields = {}): Exchange {
  const made = new Exchange(id ?? "req_1", method ?? "GET", remoteAddress ?? "192.0.2.7", startedMs ?? 0);
  return Object.assign(made, {
    path: "/v1/memories",
    route: "memories",
    status: 200,
    durationMs: 12,
    ...rest,
  });
}

/** Has the observer see one exchange from start to end. */
export function observe(observer: Observer, fields: ExchangeFields = {}): void {
  const exchange = makeExchange(fields);
  observer.started(exchange);
  observer.finished(exchange);
}

/** A key whose use is counted in the table. */
export function makeCountedKey(table: KeyCounterTable, id: string): CompiledKey {
  const secret = `mem_live_${id}`;
  const record = keyRecord(secret, { id, environment: "live" });
  const labels = { keyId: id, organization: "org_acme", project: "proj_tech", environment: "live" };
  return {
    ...compileForTest(record, digestOf(secret)),
    project: { id: "proj_tech", name: undefined },
    counters: table.for(labels),
  };
}
