/** What the registry's config means to its server. */
import { fileURLToPath } from "node:url";
import type { RegistryConfig } from "../config/registry-schema.ts";
import { readPrebuilt } from "../registry/console/assets.ts";
import type { ConsoleOptions } from "../registry/console/console.ts";
import type { RegistryOptions } from "../registry/server.ts";
import { version } from "./version.ts";

/** A few unanswered polls are a hiccup; more, and nobody may call himself up to date. */
export function silenceMaxMs({ gates }: RegistryConfig): number {
  return Math.max(3_000, gates.poll * 3);
}

export function registryOptions(config: RegistryConfig): RegistryOptions {
  const { limits, gates, retention, delegation } = config;
  return {
    keyFormat: config.key_format,
    bodyBytesMax: limits.body,
    connectionsMax: limits.connections,
    pageMax: limits.page_size,
    failuresMax: limits.failed_attempts,
    trustedProxies: config.trusted_proxies,
    pollMs: gates.poll,
    gateApi: {
      heartbeatMs: gates.heartbeat,
      silenceMaxMs: silenceMaxMs(config),
      longPollMaxMs: gates.long_poll,
      streamsMax: limits.streams,
      snapshotsMax: limits.snapshots,
      stallMs: gates.stall,
      foundTtl: gates.found_ttl / 1000,
      unknownTtl: gates.unknown_ttl / 1000,
    },
    delegation: {
      scopes: new Map(Object.entries(config.scopes)),
      keys: delegation.keys,
      usage: delegation.usage,
      environments: new Map(Object.entries(delegation.environments)),
      keysMax: delegation.max_keys,
    },
    retention: { usageMs: retention.usage, auditMs: retention.audit, changes: retention.changes },
  };
}

/** Written by `npm run build:console`; images have it, a clone need not. */
const prebuiltFolder = fileURLToPath(new URL("../../dist/console", import.meta.url));

/** Undefined when the config switches the console off. */
export function consoleOptions({ console }: RegistryConfig): ConsoleOptions | undefined {
  if (!console.enabled) return undefined;
  return {
    isInsecure: console.insecure_cookie,
    gateUrl: console.gate_url,
    version,
    async load() {
      const prebuilt = await readPrebuilt(prebuiltFolder);
      // Only then: what builds it is absent where it was built beforehand.
      return prebuilt ?? (await (await import("../console/build.ts")).buildConsole()).files;
    },
  };
}
