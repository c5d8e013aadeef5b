/** `listen`, `ops`, `workers`, `bounds`, `timeouts`, `log`, `metrics`: how the process runs. */
import { z } from "zod";
import { duration, flag, integer, line, optionFacts, size } from "./option.ts";

export const listen = z
  .strictObject({
    host: line(253, "Address to listen on.").default("0.0.0.0"),
    port: integer(0, 65_535, "Port to listen on; 0 for any free one.").default(8080),
  })
  .describe("Where clients connect.")
  .prefault({});

const probe = z.strictObject({
  path: line(1024, "Path to ask the backend for, by GET.").regex(
    /^\/[^\s#]*$/,
    "must begin with / and hold no blank and no fragment",
  ),
  upstream: line(63, "Which backend; without it the default one.").optional(),
});

export const ops = z
  .strictObject({
    host: line(253, "Address to listen on.").default("0.0.0.0"),
    port: integer(0, 65_535, "Port to listen on; 0 for any free one.").default(9090),
    probes: z
      .record(z.string().regex(/^[a-z0-9-]{1,63}$/, "a name is 1 to 63 characters of a-z 0-9 -"), probe)
      .refine((probes) => Object.keys(probes).length <= 16, "at most 16 probes")
      .describe(
        "Health checks of backends, by name: /probe/<name> answers with the status of the backend's answer.",
      )
      .optional(),
  })
  .describe("Where /livez, /readyz, /metrics and /version are. Not for the public.")
  .prefault({});

export const workers = z
  .union([z.literal("auto"), z.int().min(1).max(64)], "must be a whole number from 1 to 64, or auto")
  .describe("Processes that share the port; auto for one per core.");
optionFacts.add(workers, { type: "integer or auto", bound: "1 to 64" });

export const bounds = z
  .strictObject({
    header_bytes: size({ min: "1KiB", max: "1MiB" }, "Largest request head.").prefault("16KiB"),
    header_count: integer(10, 2000, "Most header fields in a request.").default(100),
    target_bytes: size({ min: "64", max: "64KiB" }, "Longest path with query.").prefault("8KiB"),
    body: size({ min: "0", max: "1TiB" }, "Largest request body.").prefault("64MiB"),
    connections: integer(1, 1_000_000, "Client connections at once, per process.").default(10_000),
    in_flight: integer(1, 1_000_000, "Requests under way at once, per process; more get 503.").default(
      10_000,
    ),
    requests_per_connection: integer(1, 10_000_000, "Requests before a client has to connect anew.").default(
      100_000,
    ),
    event_loop_delay: duration(
      { min: "50ms", max: "1m", zeroIsOff: true },
      "When the process lags behind by this much, new requests get 503.",
    ).prefault("1s"),
  })
  .describe("A bound on everything.")
  .prefault({});

export const timeouts = z
  .strictObject({
    headers: duration({ min: "100ms", max: "10m" }, "For the whole head of a request.").prefault("10s"),
    body_idle: duration({ min: "100ms", max: "1h" }, "Between two pieces of a request's body.").prefault(
      "30s",
    ),
    body_min_rate: size(
      { min: "0", max: "1MiB" },
      "Bytes of a request's body that have to come each second, on the whole; 0 is off.",
    ).prefault("500B"),
    body_grace: duration(
      { min: "100ms", max: "1h" },
      "For how long a request's body may come more slowly than body_min_rate.",
    ).prefault("30s"),
    read_idle: duration({ min: "100ms", max: "24h" }, "For a client that does not read its answer.").prefault(
      "60s",
    ),
    keep_alive: duration({ min: "1s", max: "1h" }, "For a connection without a request.").prefault("75s"),
    websocket_idle: duration({ min: "1s", max: "24h" }, "For a WebSocket on which nothing is sent.").prefault(
      "10m",
    ),
  })
  .describe("How long a client may take.")
  .prefault({});

export const log = z
  .strictObject({
    level: z
      .enum(["fatal", "error", "warn", "info", "debug"])
      .describe("Least level that is written.")
      .default("info"),
    access: flag("One line for each request.").default(true),
  })
  .describe("The log, JSON lines on standard output.")
  .prefault({});

export const metrics = z
  .strictObject({
    max_keys: integer(
      0,
      100_000,
      'Keys with series of their own: the first that are used since the start. The rest count as key_id="_other".',
    ).default(1000),
  })
  .describe("Metrics for Prometheus.")
  .prefault({});
