/**
 * The gate's config: one schema gives types, defaults, bounds, faults, the JSON Schema and the
 * reference page. It knows nothing of files; `load.ts` reads them.
 */
import { z } from "zod";
import { cors, errors, headers, identity } from "./answer-section.ts";
import { crossChecks, whenSound } from "./cross-checks.ts";
import { cache, credentials, keyFormat, keys } from "./key-section.ts";
import { bounds, listen, log, metrics, ops, timeouts, workers } from "./operation-section.ts";
import { duration, line, network } from "./option.ts";
import { routes, scopes } from "./route-section.ts";
import { upstreams } from "./upstream-section.ts";

const sections = z
  .strictObject({
    listen,
    ops,
    workers: workers.default(1),
    upstreams,
    credentials,
    key_format: keyFormat.optional(),
    keys,
    cache,
    scopes,
    routes,
    identity,
    errors,
    cors: cors.optional(),
    headers,
    trusted_proxies: z
      .array(network("A proxy."))
      .max(256)
      .describe("Proxies in front of the gate whose X-Forwarded-* headers are believed.")
      .default([]),
    via: line(64, "Name of this gate in the Via header; a request that carries it already is a loop.")
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be one word such as keyward")
      .default("keyward"),
    bounds,
    timeouts,
    log,
    metrics,
    shutdown_grace: duration(
      { min: "0s", max: "1h" },
      "Time for requests under way to finish at shutdown.",
    ).prefault("25s"),
    shutdown_delay: duration(
      { min: "0s", max: "5m" },
      "Time between not ready and no longer accepting, for load balancers to notice.",
    ).prefault("0s"),
    // Reserved: unknown to this version, but no mistake of the reader.
    limits: z.never("is not supported by this version yet").optional(),
  })
  .describe("Config of the Keyward gate.");

export const gateConfigSchema: typeof sections = crossChecks.reduce(
  (schema, { reads, run }) =>
    schema.superRefine(
      (config, context) =>
        run(config, (path, message) => context.addIssue({ code: "custom", path, message })),
      whenSound(reads),
    ),
  sections,
);

/** The config with every default filled in; durations in milliseconds, sizes in bytes. */
export type GateConfig = z.output<typeof sections>;

/** What a config file may hold. */
export type GateConfigInput = z.input<typeof sections>;
