/**
 * The registry server's metrics. Requests add to plain numbers; what only the store knows is asked
 * for when somebody scrapes, and not more often than every few seconds.
 */
import type { Clock } from "../base/clock.ts";
import { type KeyStatus, keyStatuses } from "../keys/life-cycle.ts";
import type { AnsweredRequest } from "../registry/http-server.ts";
import { problemCodes } from "../registry/problem.ts";
import { type Sample, seriesName } from "./exposition.ts";
import { DurationHistogram } from "./histogram.ts";
import type { Collect } from "./metrics-page.ts";
import type { RegistryMetricName } from "./registry-catalogue.ts";
import { Counter } from "./route-series.ts";

/** What the metrics read at scrape. */
export interface RegistryReadings {
  readonly subscribers: () => number;
  readonly revision: () => number;
  readonly silenceMs: () => number;
  readonly logLinesDropped: () => number;
  readonly countKeys: () => Promise<Readonly<Record<KeyStatus, number>>>;
  /** Live gates and how many changes each is behind; undefined where that cannot be known. */
  readonly liveGates: () => Promise<
    readonly { readonly gate: string; readonly behind: number | undefined }[]
  >;
}

export interface RegistryMetricsOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly readings: RegistryReadings;
}

/** Counting a million keys takes a while; nobody needs it to the second. */
const STORE_READING_MS = 10_000;
/** A store that hangs must not hang the scrape. */
const STORE_WAIT_MS = 2_000;
const GATES_MAX = 500;
const SERIES_MAX = 5_000;
const NO_ROUTE = "_none";
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

interface StoreReading {
  readonly keys: Readonly<Record<KeyStatus, number>>;
  readonly gates: Awaited<ReturnType<RegistryReadings["liveGates"]>>;
}

export class RegistryMetrics {
  readonly #clock: Clock;
  readonly #readings: RegistryReadings;
  readonly #version: string;
  readonly #requests = new Map<string, Counter>();
  readonly #durations = new Map<string, DurationHistogram>();
  readonly #problems: ReadonlyMap<string, Counter>;
  readonly #usage = { counted: 0, repeated: 0 };
  #faults = 0;
  #reading: StoreReading | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, version, readings }: RegistryMetricsOptions) {
    this.#clock = clock;
    this.#version = version;
    this.#readings = readings;
    // They stand at 0 from the start, so that the first event shows as an increase.
    this.#problems = new Map(
      problemCodes.map((code) => [
        code,
        new Counter(seriesName("keyward_registry_problems_total", { code })),
      ]),
    );
  }

  answered({ method, route = NO_ROUTE, status, problem, durationMs, isEndless }: AnsweredRequest): void {
    const labels = { route, method: METHODS.has(method) ? method : "OTHER", code: String(status) };
    const series = seriesName("keyward_registry_http_requests_total", labels);
    let counter = this.#requests.get(series);
    if (counter === undefined && this.#requests.size < SERIES_MAX) {
      counter = new Counter(series);
      this.#requests.set(series, counter);
    }
    if (counter !== undefined) counter.value++;
    if (problem !== undefined) {
      const problems = this.#problems.get(problem);
      if (problems !== undefined) problems.value++;
    }
    if (!isEndless) this.#durationOf(route).observe(durationMs);
  }

  usage(isNew: boolean): void {
    this.#usage[isNew ? "counted" : "repeated"]++;
  }

  fault(): void {
    this.#faults++;
  }

  /** Asks the store, if it was not asked lately, and gives the reader of one page. */
  async open(): Promise<Collect<RegistryMetricName>> {
    await this.#readStore();
    return (name) => this.#collect(name);
  }

  async #readStore(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#readAtMs < STORE_READING_MS) return;
    this.#readAtMs = nowMs;
    const { countKeys, liveGates } = this.#readings;
    const read = Promise.all([countKeys(), liveGates()]).then(
      ([keys, gates]) => ({ keys, gates }),
      // Absent is true; a number of an hour ago is not.
      () => undefined,
    );
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), STORE_WAIT_MS);
    this.#reading = await Promise.race([read, late]);
    clearTimeout(timer);
  }

  #collect(name: RegistryMetricName): Iterable<Sample> {
    const one = (value: number): Sample[] => [[name, value]];
    const readings = this.#readings;
    switch (name) {
      case "keyward_registry_http_requests_total":
        return Array.from(this.#requests.values(), (counter) => counter.sample());
      case "keyward_registry_http_request_duration_seconds":
        return [...this.#durations].flatMap(([route, histogram]) => histogram.samples(name, { route }));
      case "keyward_registry_problems_total":
        return Array.from(this.#problems.values(), (counter) => counter.sample());
      case "keyward_registry_subscribers":
        return one(readings.subscribers());
      case "keyward_registry_revision":
        return one(readings.revision());
      case "keyward_registry_store_silence_seconds":
        return one(Math.max(0, readings.silenceMs()) / 1000);
      case "keyward_registry_keys":
        return this.#keys(name);
      case "keyward_registry_gates":
        return this.#reading === undefined ? [] : one(this.#reading.gates.length);
      case "keyward_registry_gate_lag_revisions":
        return this.#lags(name);
      case "keyward_registry_usage_batches_received_total":
        return (["counted", "repeated"] as const).map((result) => [
          seriesName(name, { result }),
          this.#usage[result],
        ]);
      case "keyward_registry_faults_total":
        return one(this.#faults);
      case "keyward_log_lines_dropped_total":
        return one(readings.logLinesDropped());
      case "keyward_build_info":
        return [[seriesName(name, { version: this.#version, node: process.versions.node }), 1]];
    }
  }

  #keys(name: RegistryMetricName): Sample[] {
    const keys = this.#reading?.keys;
    if (keys === undefined) return [];
    return keyStatuses.map((status) => [seriesName(name, { status }), keys[status]]);
  }

  #lags(name: RegistryMetricName): Sample[] {
    const gates = this.#reading?.gates ?? [];
    return gates
      .slice(0, GATES_MAX)
      .flatMap(({ gate, behind }) =>
        behind === undefined ? [] : [[seriesName(name, { gate }), behind] as const],
      );
  }

  #durationOf(route: string): DurationHistogram {
    const known = this.#durations.get(route);
    if (known !== undefined) return known;
    const made = new DurationHistogram();
    this.#durations.set(route, made);
    return made;
  }
}
