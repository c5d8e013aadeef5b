/**
 * What is counted per route. Series are made when first counted and found again by small integer
 * keys; the hot path hashes no labels.
 */
import type { Exchange } from "../gate/exchange.ts";
import { type Sample, seriesName } from "./exposition.ts";
import { DurationHistogram } from "./histogram.ts";

/** A counter that carries its finished series name. */
export class Counter {
  readonly series: string;
  value = 0;

  constructor(series: string) {
    this.series = series;
  }

  sample(): Sample {
    return [this.series, this.value];
  }
}

/** Methods with a label of their own. Any other token is a client's choice and becomes `OTHER`. */
const METHODS = ["OTHER", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] as const;
const METHOD_INDEX: ReadonlyMap<string, number> = new Map(METHODS.map((method, index) => [method, index]));

/** Status codes outside 100 to 599 (0: none was sent) share one label, whatever an upstream invents. */
const ODD_STATUS = 0;
const CODE_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;
/** Above every status: method and status make one integer key. */
const STATUS_SPAN = 1024;

class RouteSeries {
  readonly #route: string;
  readonly #requests = new Map<number, Counter>();
  /** By code class; holes until a class is first seen. */
  readonly #durations: (DurationHistogram | undefined)[] = CODE_CLASSES.map(() => undefined);
  readonly #upstreamDurations: (DurationHistogram | undefined)[] = CODE_CLASSES.map(() => undefined);

  constructor(route: string) {
    this.#route = route;
  }

  count(exchange: Exchange): void {
    const status = exchange.status >= 100 && exchange.status <= 599 ? exchange.status : ODD_STATUS;
    const codeClass = Math.trunc(status / 100);
    this.#requestCounter(METHOD_INDEX.get(exchange.method) ?? 0, status).value++;
    (this.#durations[codeClass] ??= new DurationHistogram()).observe(exchange.durationMs);
    if (exchange.upstreamMs === undefined) return;
    (this.#upstreamDurations[codeClass] ??= new DurationHistogram()).observe(exchange.upstreamMs);
  }

  #requestCounter(method: number, status: number): Counter {
    const key = method * STATUS_SPAN + status;
    const known = this.#requests.get(key);
    if (known !== undefined) return known;
    const code = status === ODD_STATUS ? "none" : String(status);
    const labels = { route: this.#route, method: METHODS[method] ?? METHODS[0], code };
    const made = new Counter(seriesName("keyward_requests_total", labels));
    this.#requests.set(key, made);
    return made;
  }

  requests(): Sample[] {
    return [...this.#requests.values()].map((counter) => counter.sample());
  }

  durations(): Sample[] {
    return this.#histograms("keyward_request_duration_seconds", this.#durations);
  }

  upstreamDurations(): Sample[] {
    return this.#histograms("keyward_upstream_duration_seconds", this.#upstreamDurations);
  }

  #histograms(name: string, byClass: readonly (DurationHistogram | undefined)[]): Sample[] {
    return CODE_CLASSES.flatMap(
      (code, index) => byClass[index]?.samples(name, { route: this.#route, code }) ?? [],
    );
  }
}

/** Label of requests that matched no route. */
const NO_ROUTE = "_none";
/** Label of routes beyond the bound. */
const OTHER_ROUTES = "_other";

/**
 * Series by route name. A name keeps its series when a reload drops the route, so that counters
 * never fall and a request that outlives the reload is still counted; what many reloads could pile
 * up is bounded, and the names beyond share `_other`.
 */
export class RouteSeriesTable {
  readonly #max: number;
  readonly #byName = new Map<string, RouteSeries>();

  constructor(max: number) {
    this.#max = max;
  }

  for(route: string | undefined): RouteSeries {
    const name = route ?? NO_ROUTE;
    return this.#byName.get(name) ?? this.#make(name);
  }

  #make(name: string): RouteSeries {
    const isFull = this.#byName.size >= this.#max && name !== NO_ROUTE && name !== OTHER_ROUTES;
    if (isFull) return this.for(OTHER_ROUTES);
    const made = new RouteSeries(name);
    this.#byName.set(name, made);
    return made;
  }

  all(): MapIterator<RouteSeries> {
    return this.#byName.values();
  }
}
