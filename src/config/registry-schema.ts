/**
 * The registry server's config: one schema gives types, defaults, bounds, faults, the JSON Schema and
 * the reference page. It knows nothing of files; `registry-load.ts` reads them.
 */
import { z } from "zod";
import { keyFormat } from "./key-section.ts";
import { delegation, registryScopes } from "./delegation-section.ts";
import { log } from "./operation-section.ts";
import { duration, evenIfFaulty, filePath, flag, integer, line, network, size } from "./option.ts";

/** What a token must have at least: a shorter one could be guessed. */
const TOKEN_LENGTH_MIN = 20;

const token = (description: string): z.ZodString =>
  line(512, description).min(TOKEN_LENGTH_MIN, `must have at least ${TOKEN_LENGTH_MIN} characters`);

const place = (port: number, description: string) =>
  z
    .strictObject({
      host: line(253, "Address to listen on.").default("127.0.0.1"),
      port: integer(0, 65_535, "Port to listen on; 0 for any free one.").default(port),
    })
    .describe(description)
    .prefault({});

const tokens = z
  .strictObject({
    admin_token: token("An admin token made elsewhere; only its digest is stored.").optional(),
    admin_token_file: filePath("File that holds it; instead of admin_token.").optional(),
    gate_token: token("A gate token made elsewhere; only its digest is stored.").optional(),
    gate_token_file: filePath("File that holds it; instead of gate_token.").optional(),
  })
  .superRefine((tokens, context) => {
    for (const name of ["admin_token", "gate_token"] as const) {
      if (tokens[name] === undefined || tokens[`${name}_file`] === undefined) continue;
      const message = `${name} is given as well; keep one`;
      context.addIssue({ code: "custom", path: [`${name}_file`], message });
    }
  }, evenIfFaulty)
  .describe(
    "Tokens that are there from the start. Another value at the next start takes the place of the one before, " +
      "which is revoked. All others are made by `keyward registry token create` or the API.",
  )
  .prefault({});

const limits = z
  .strictObject({
    body: size({ min: "4KiB", max: "64MiB" }, "Largest request body.").prefault("1MiB"),
    connections: integer(1, 100_000, "Connections at once.").default(2048),
    streams: integer(1, 100_000, "Change streams and long polls at once; more get 503.").default(1000),
    snapshots: integer(1, 1000, "Snapshots being sent at once; more get 503.").default(8),
    page_size: integer(1, 1000, "Most items on a page of a list.").default(200),
    failed_attempts: integer(
      1,
      100_000,
      "Unknown tokens that an address may show in a minute; more get 429.",
    ).default(20),
  })
  .describe("A bound on everything.")
  .prefault({});

const retention = z
  .strictObject({
    usage: duration({ min: "7d", max: "3650d" }, "How long usage is kept.").prefault("800d"),
    audit: duration({ min: "31d", max: "3650d" }, "How long the audit log is kept.").prefault("365d"),
    changes: integer(
      1000,
      10_000_000,
      "Changes kept for gates that come back; who missed more takes a snapshot.",
    ).default(100_000),
  })
  .describe("What is forgotten, and when.")
  .prefault({});

const gates = z
  .strictObject({
    heartbeat: duration(
      { min: "100ms", max: "10s" },
      "Between two signs of life on a change stream.",
    ).prefault("5s"),
    poll: duration(
      { min: "50ms", max: "10s" },
      "How often the store is asked for changes whose notification was lost.",
    ).prefault("1s"),
    long_poll: duration({ min: "1s", max: "60s" }, "Longest wait of a long poll.").prefault("30s"),
    stall: duration({ min: "1s", max: "5m" }, "For a gate that does not read its stream.").prefault("30s"),
    found_ttl: duration({ min: "1s", max: "24h" }, "How long a gate may use a looked-up key.").prefault(
      "60s",
    ),
    unknown_ttl: duration(
      { min: "0s", max: "1h" },
      "How long a gate may remember that a key is unknown.",
    ).prefault("5s"),
  })
  .describe("How gates follow.")
  .prefault({});

const consolePages = z
  .strictObject({
    enabled: flag("Serve the console under /console, on the port of listen.").default(true),
    insecure_cookie: flag(
      "Let the session's cookie go over plain HTTP, where browsers do not reach the console by https:// or as localhost.",
    ).default(false),
    gate_url: line(2048, "Where clients reach the gate; the console shows it in lines to paste.")
      .refine(isHttpUrl, "must be an http:// or https:// URL without user, query and fragment")
      .optional(),
  })
  .describe(
    "Where people manage keys in a browser, behind any path prefix that a proxy takes off. Sessions live in the memory of " +
      "one process: several registries behind one address need sticky sessions.",
  )
  .prefault({});

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && !/[?#@]/.test(text);
}

const sections = z
  .strictObject({
    listen: place(8090, "Where gates, administrators and the console connect."),
    ops: place(9091, "Where /livez, /readyz, /metrics and /version are. Not for the public."),
    storage: line(
      4096,
      "SQLite file (`keyward-registry.db`, `sqlite:/path/file.db`) or `postgres://…`.",
    ).default("keyward-registry.db"),
    storage_file: filePath("File that holds the storage URL; instead of storage.").optional(),
    key_format: keyFormat
      .optional()
      .describe(
        "What new keys look like; the same as key_format of the gates. Without it kw_<environment>_…",
      ),
    tokens,
    limits,
    retention,
    gates,
    scopes: registryScopes,
    delegation,
    console: consolePages,
    trusted_proxies: z
      .array(network("A proxy."))
      .max(256)
      .describe("Proxies in front of the registry whose X-Forwarded-For is believed.")
      .default([]),
    log,
    shutdown_grace: duration(
      { min: "0s", max: "10m" },
      "Time for requests under way to finish at shutdown.",
    ).prefault("10s"),
  })
  .describe("Config of the Keyward registry.");

export const registryConfigSchema: typeof sections = sections.superRefine(({ listen, ops }, context) => {
  if (listen.port !== 0 && listen.port === ops.port && listen.host === ops.host) {
    context.addIssue({ code: "custom", path: ["ops", "port"], message: "is the port of listen as well" });
  }
});

/** The config with every default filled in; durations in milliseconds, sizes in bytes. */
export type RegistryConfig = z.output<typeof sections>;
