/** The five keys of the set and the gate's rules for them. */
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import type { Words } from "./bytes.ts";

/** Our name in Via. */
const PSEUDONYM = "keyward";

const YEAR_MS = 365 * 24 * 3600 * 1000;

export interface SceneKeys {
  readonly words: Words;
  readonly fixtures: readonly KeyFixture[];
}

export function makeKeys(): SceneKeys {
  const key = (name: string, fields: Parameters<typeof makeKey>[0]): KeyFixture =>
    makeKey({
      id: `key_${name}`,
      secret: `mem_prod_${makeKey().secret.slice("mem_live_".length)}`,
      organization: { id: `org_${name}` },
      project: { id: `proj_${name}` },
      environment: "prod",
      scopes: ["memory:read", "memory:write"],
      ...fields,
    });
  const a = key("a", {});
  const b = key("b", { scopes: ["memory:read"] });
  const n = withoutProject(key("n", {}));
  const revoked = key("rev", { revoked_at: new Date(Date.now() - YEAR_MS).toISOString() });
  const expired = key("exp", { expires_at: new Date(Date.now() - YEAR_MS).toISOString() });
  return {
    fixtures: [a, b, n, revoked, expired],
    words: {
      KEY_A: a.secret,
      KEY_B: b.secret,
      KEY_N: n.secret,
      KEY_REV: revoked.secret,
      KEY_EXP: expired.secret,
      KEY_A_SWAPCASE: swapCase(a.secret),
      KEY_A_MINUS1: a.secret.slice(0, -1),
      HASH_A: a.record.digest.replace("sha256:", ""),
      PROXY_PSEUDONYM: PSEUDONYM,
    },
  };
}

function withoutProject({ secret, record }: KeyFixture): KeyFixture {
  const { project: _project, environment: _environment, ...rest } = record;
  return { secret, record: rest };
}

function swapCase(text: string): string {
  return text.replace(/[A-Za-z]/g, (letter) => {
    const upper = letter.toUpperCase();
    return letter === upper ? letter.toLowerCase() : upper;
  });
}

/** What the cases, and the fuzzers that grew out of them, may do with which scope. */
export const wireRoutes: readonly Readonly<Record<string, unknown>>[] = [
  { path: "/healthz", methods: ["GET"], public: true },
  { path: "/v1/memories/**", methods: ["GET"], scopes: ["memory:read"] },
  { path: "/v1/memories/**", methods: ["POST", "PUT", "PATCH"], scopes: ["memory:write"] },
  { path: "/v1/memories/**", methods: ["DELETE"], scopes: ["memory:delete"] },
  { path: "/v1/admin/**", scopes: ["admin"] },
];

/** The set's rules, and timers short enough to wait for. */
export function wireConfig(upstream: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return {
    upstreams: { default: { timeouts: { headers: "1s", idle: "1s" }, ...upstream } },
    key_format: { prefix: "mem", environments: ["prod"] },
    routes: wireRoutes,
    via: PSEUDONYM,
    timeouts: { headers: "500ms", body_idle: "500ms", read_idle: "1s" },
    // A busy test machine must not look like an overloaded gate.
    bounds: { event_loop_delay: "0s" },
  };
}
