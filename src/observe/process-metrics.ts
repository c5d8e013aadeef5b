/**
 * What is told of the process itself and of Node: `process_*` and `nodejs_*`, by the names that
 * Prometheus' clients agree on and that ready-made dashboards expect. Knows nothing of the product.
 */
import { readFileSync, readdirSync } from "node:fs";
import { PerformanceObserver, constants, monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import { type FamilyKind, type Sample, seriesName } from "./exposition.ts";
import { DurationHistogram } from "./histogram.ts";

export interface ProcessFamily extends Pick<FamilyKind, "name" | "type" | "help"> {
  readonly samples: readonly Sample[];
}

const GC_NAME = "nodejs_gc_duration_seconds";
const GC_BOUNDS = [0.001, 0.01, 0.1, 1, 2, 5];
const GC_KINDS: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

/** A performance entry of type `gc`. */
interface Collection {
  readonly duration: number;
  readonly detail?: { readonly kind?: number };
}

/** Its probes run until the process ends. */
export class ProcessMetrics {
  readonly #delay = monitorEventLoopDelay();
  readonly #collections = new Map<string, DurationHistogram>();

  constructor() {
    this.#delay.enable();
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#collected(entry);
    }).observe({ entryTypes: ["gc"] });
  }

  #collected({ detail, duration }: Collection): void {
    const kind = GC_KINDS.get(detail?.kind) ?? "other";
    let durations = this.#collections.get(kind);
    if (durations === undefined) this.#collections.set(kind, (durations = new DurationHistogram(GC_BOUNDS)));
    durations.observe(duration);
  }

  /** @param lagMs how long the event loop has just taken for a turn */
  families(lagMs: number): readonly ProcessFamily[] {
    return [
      ...processFamilies(),
      gauge("nodejs_eventloop_lag_seconds", "Lag of event loop in seconds.", lagMs / 1000),
      ...this.#delays(),
      ...activeFamilies(),
      ...heapFamilies(),
      info(),
      {
        name: GC_NAME,
        type: "histogram",
        help: "Garbage collection duration by kind, one of major, minor, incremental or weakcb.",
        samples: [...this.#collections].flatMap(([kind, durations]) => durations.samples(GC_NAME, { kind })),
      },
    ];
  }

  /** Since they were asked for last. */
  #delays(): ProcessFamily[] {
    const delay = this.#delay;
    const of = (name: string, help: string, nanoseconds: number): ProcessFamily =>
      gauge(`nodejs_eventloop_lag_${name}_seconds`, `The ${help}.`, nanoseconds / 1e9);
    const families = [
      of("min", "minimum recorded event loop delay", delay.min),
      of("max", "maximum recorded event loop delay", delay.max),
      of("mean", "mean of the recorded event loop delays", delay.mean),
      of("stddev", "standard deviation of the recorded event loop delays", delay.stddev),
      of("p50", "50th percentile of the recorded event loop delays", delay.percentile(50)),
      of("p90", "90th percentile of the recorded event loop delays", delay.percentile(90)),
      of("p99", "99th percentile of the recorded event loop delays", delay.percentile(99)),
    ];
    delay.reset();
    return families;
  }
}

function gauge(name: string, help: string, value: number | readonly Sample[]): ProcessFamily {
  return { name, type: "gauge", help, samples: typeof value === "number" ? [[name, value]] : value };
}

function counter(name: string, help: string, value: number): ProcessFamily {
  return { name, type: "counter", help, samples: [[name, value]] };
}

function processFamilies(): ProcessFamily[] {
  const { user, system } = process.cpuUsage();
  const startSeconds = Math.round(performance.timeOrigin / 1000);
  return [
    counter("process_cpu_user_seconds_total", "Total user CPU time spent in seconds.", user / 1e6),
    counter("process_cpu_system_seconds_total", "Total system CPU time spent in seconds.", system / 1e6),
    counter(
      "process_cpu_seconds_total",
      "Total user and system CPU time spent in seconds.",
      (user + system) / 1e6,
    ),
    gauge(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      startSeconds,
    ),
    ...(process.platform === "linux" ? linuxFamilies() : [resident(process.memoryUsage.rss())]),
  ];
}

const resident = (bytes: number): ProcessFamily =>
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", bytes);

/** As proc(5) has them. A container may hide what is there: then nothing is told of it. */
function linuxFamilies(): ProcessFamily[] {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
    const limits = readFileSync("/proc/self/limits", "utf8");
    return [
      resident(bytes("VmRSS")),
      gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", bytes("VmSize")),
      gauge("process_heap_bytes", "Process heap size in bytes.", bytes("VmData")),
      // Reading the folder takes one itself.
      gauge("process_open_fds", "Number of open file descriptors.", readdirSync("/proc/self/fd").length - 1),
      gauge(
        "process_max_fds",
        "Maximum number of open file descriptors.",
        Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity),
      ),
    ];
  } catch {
    return [resident(process.memoryUsage.rss())];
  }
}

/** Node has no public way to these two; where they are gone, so are their metrics. */
interface ActiveObjects {
  readonly _getActiveHandles?: () => readonly object[];
  readonly _getActiveRequests?: () => readonly object[];
}

function activeFamilies(): ProcessFamily[] {
  const { _getActiveHandles: handles, _getActiveRequests: requests } = process as ActiveObjects;
  const byClass = (objects: readonly object[] | undefined): string[] | undefined =>
    objects?.map((object) => object.constructor.name);
  return [
    ...active(
      "resources",
      "resources that are currently keeping the event loop alive, grouped by async resource type",
      process.getActiveResourcesInfo(),
    ),
    ...active(
      "handles",
      "libuv handles grouped by handle type. Every handle type is C++ class name",
      byClass(handles?.()),
    ),
    ...active(
      "requests",
      "libuv requests grouped by request type. Every request type is C++ class name",
      byClass(requests?.()),
    ),
  ];
}

function active(what: string, help: string, types: readonly string[] | undefined): ProcessFamily[] {
  if (types === undefined) return [];
  const name = `nodejs_active_${what}`;
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  const samples = [...counts].map(([type, count]): Sample => [seriesName(name, { type }), count]);
  return [gauge(name, `Number of active ${help}.`, samples)];
}

function heapFamilies(): ProcessFamily[] {
  const { heapTotal, heapUsed, external } = process.memoryUsage();
  const spaces = getHeapSpaceStatistics().map((space) => ({
    space: space.space_name.replace(/_space$/, ""),
    total: space.space_size,
    used: space.space_used_size,
    available: space.space_available_size,
  }));
  const ofSpaces = (what: "total" | "used" | "available"): ProcessFamily => {
    const name = `nodejs_heap_space_size_${what}_bytes`;
    const samples = spaces.map(({ space, [what]: bytes }): Sample => [seriesName(name, { space }), bytes]);
    return gauge(name, `Process heap space size ${what} from Node.js in bytes.`, samples);
  };
  return [
    gauge("nodejs_heap_size_total_bytes", "Process heap size from Node.js in bytes.", heapTotal),
    gauge("nodejs_heap_size_used_bytes", "Process heap size used from Node.js in bytes.", heapUsed),
    gauge("nodejs_external_memory_bytes", "Node.js external memory size in bytes.", external),
    ...(["total", "used", "available"] as const).map(ofSpaces),
  ];
}

function info(): ProcessFamily {
  const { version } = process;
  const [major = "", minor = "", patch = ""] = version.slice(1).split(".");
  const name = "nodejs_version_info";
  return gauge(name, "Node.js version info.", [[seriesName(name, { version, major, minor, patch }), 1]]);
}
