/**
 * The gate's metrics. Requests add to plain numbers; labels and text exist only when somebody
 * scrapes. It never sees a credential: labels are configured names, ids and codes.
 */
import type { Clock } from "../base/clock.ts";
import { type DenialCode, denialCodes } from "../errors/catalogue.ts";
import type { Exchange, Observer } from "../gate/exchange.ts";
import type { KeyCounterTable } from "../keys/counters.ts";
import { type Family, type Sample, seriesName } from "./exposition.ts";
import {
  type Collector,
  type GateReadings,
  cacheCollectors,
  keyCollectors,
  plainCollectors,
  registryCollectors,
  single,
} from "./gate-readings.ts";
import { countKey } from "./key-series.ts";
import { type GateMetricName, gateMetricKinds } from "./metric-catalogue.ts";
import { Counter, RouteSeriesTable } from "./route-series.ts";

export interface GateMetricsOptions {
  readonly clock: Clock;
  /** Of Keyward. */
  readonly version: string;
  readonly keyCounters: KeyCounterTable;
  /** Keys whose dates are exposed (`metrics.max_keys`); `keyCounters` has a bound of its own. */
  readonly maxKeys: number;
  /** Kinds of upstream failure that stand at 0 before the first one happens. */
  readonly upstreamErrorKinds?: readonly string[];
  readonly readings?: GateReadings;
}

const ROUTES_MAX = 10_000;
/** Failure kinds are ours and few; this only stops a bug from making a series per message. */
const UPSTREAM_ERROR_KINDS_MAX = 64;
const OTHER_KINDS = "_other";

export class GateMetrics implements Observer {
  readonly #clock: Clock;
  readonly #routes = new RouteSeriesTable(ROUTES_MAX);
  readonly #denials = new Map<DenialCode, Counter>();
  readonly #upstreamErrors = new Map<string, Counter>();
  readonly #reloads = {
    success: new Counter(seriesName("keyward_config_reloads_total", { result: "success" })),
    failure: new Counter(seriesName("keyward_config_reloads_total", { result: "failure" })),
  };
  readonly #collectors: Readonly<Record<GateMetricName, Collector>>;
  #inFlight = 0;
  #isConfigCurrent = true;
  #configLoadedMs: number;

  /** Made once per process, when the first configuration was loaded; outlives every reload. */
  constructor({
    clock,
    version,
    keyCounters,
    maxKeys,
    upstreamErrorKinds = [],
    readings = {},
  }: GateMetricsOptions) {
    this.#clock = clock;
    this.#configLoadedMs = clock.now();
    // Known series stand at 0 from the start, so that the first event shows as an increase.
    for (const reason of denialCodes) {
      this.#denials.set(reason, new Counter(seriesName("keyward_denials_total", { reason })));
    }
    for (const kind of upstreamErrorKinds) this.#upstreamError(kind);
    this.#collectors = {
      ...this.#requestCollectors(),
      ...this.#processCollectors(version),
      ...keyCollectors(keyCounters, readings.knownKeys, maxKeys),
      ...cacheCollectors(readings),
      ...registryCollectors(readings.registry),
      ...plainCollectors(readings),
    };
  }

  started(): void {
    this.#inFlight++;
  }

  /** Counts the whole exchange at its end, long streams and tunnels included. */
  finished(exchange: Exchange): void {
    this.#inFlight--;
    this.#routes.for(exchange.route).count(exchange);
    if (exchange.denial !== undefined) {
      const denials = this.#denials.get(exchange.denial);
      if (denials !== undefined) denials.value++;
    }
    if (exchange.upstreamError !== undefined) this.#upstreamError(exchange.upstreamError).value++;
    if (exchange.key !== undefined) countKey(exchange, exchange.key.counters, this.#clock.now());
  }

  /** A reload was tried; `isSuccessful` is false when the file was refused and the old one stayed. */
  configReloaded(isSuccessful: boolean): void {
    this.#reloads[isSuccessful ? "success" : "failure"].value++;
    this.#isConfigCurrent = isSuccessful;
    if (isSuccessful) this.#configLoadedMs = this.#clock.now();
  }

  /** The current lines of one metric. Large families are lazy: they may be read piecemeal. */
  collect(name: GateMetricName): Iterable<Sample> {
    return this.#collectors[name]();
  }

  /** All values as plain data, to be sent to another process and summed by `mergeFamilies`. */
  snapshot(): Family[] {
    return gateMetricKinds.map(({ name }) => ({ name, samples: [...this.collect(name)] }));
  }

  #upstreamError(kind: string): Counter {
    const known = this.#upstreamErrors.get(kind);
    if (known !== undefined) return known;
    const isFull = this.#upstreamErrors.size >= UPSTREAM_ERROR_KINDS_MAX && kind !== OTHER_KINDS;
    if (isFull) return this.#upstreamError(OTHER_KINDS);
    const made = new Counter(seriesName("keyward_upstream_errors_total", { kind }));
    this.#upstreamErrors.set(kind, made);
    return made;
  }

  #requestCollectors() {
    const routes = this.#routes;
    return {
      keyward_requests_total: () => routes.all().flatMap((route) => route.requests()),
      keyward_request_duration_seconds: () => routes.all().flatMap((route) => route.durations()),
      keyward_upstream_duration_seconds: () => routes.all().flatMap((route) => route.upstreamDurations()),
      keyward_requests_in_flight: () => single("keyward_requests_in_flight", this.#inFlight),
      keyward_denials_total: () => samplesOf(this.#denials),
      keyward_upstream_errors_total: () => samplesOf(this.#upstreamErrors),
    } satisfies Record<string, Collector>;
  }

  #processCollectors(version: string) {
    const isCurrent = "keyward_config_last_reload_successful";
    const loadedAt = "keyward_config_last_reload_timestamp_seconds";
    return {
      [isCurrent]: () => single(isCurrent, this.#isConfigCurrent ? 1 : 0),
      [loadedAt]: () => single(loadedAt, this.#configLoadedMs / 1000),
      keyward_config_reloads_total: () => [this.#reloads.success.sample(), this.#reloads.failure.sample()],
      keyward_build_info: () => single("keyward_build_info", 1, { version, node: process.versions.node }),
    } satisfies Record<string, Collector>;
  }
}

function samplesOf(counters: ReadonlyMap<string, Counter>): Sample[] {
  return Array.from(counters.values(), (counter) => counter.sample());
}
