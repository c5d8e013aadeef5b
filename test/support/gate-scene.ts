/**
 * One compiled gate state with real parts and a hand-moved clock, and requests as the parser would
 * hand them over. Opens no socket: an upstream's pool connects when something is dispatched.
 */
import { ManualClock } from "../../src/base/clock.ts";
import { type GateConfig, type GateConfigInput, gateConfigSchema } from "../../src/config/schema.ts";
import { Denial } from "../../src/errors/denial.ts";
import type { Admitted } from "../../src/gate/admit.ts";
import { type Decision, Preflight, decide } from "../../src/gate/decide.ts";
import { Exchange } from "../../src/gate/exchange.ts";
import { type GateState, compileGate } from "../../src/gate/gate-state.ts";
import type { RequestLine } from "../../src/gate/head.ts";
import type { RouteFault } from "../../src/gate/routes.ts";
import type { Upstream } from "../../src/gate/upstream.ts";
import { UpstreamSet } from "../../src/gate/upstreams.ts";
import { KeyCacheStats } from "../../src/keys/cache.ts";
import { CompactKeys } from "../../src/keys/compact-keys.ts";
import { KeyCounterTable } from "../../src/keys/counters.ts";
import { digestOf } from "../../src/keys/digest.ts";
import { FileKeySource } from "../../src/keys/file-source.ts";
import type { KeySource } from "../../src/keys/source.ts";
import type { KeyFixture } from "./fixtures.ts";

/** Where a scene's clock starts; times of keys are written around it. */
export const NOW_MS: number = Date.UTC(2026, 0, 1);

export type ConfigChange = Partial<GateConfigInput>;

export interface SceneOptions {
  /** Top-level options; each replaces the scene's own as a whole. */
  readonly config?: ConfigChange;
  readonly keys?: readonly KeyFixture[];
  /** Instead of a source that holds `keys`. */
  readonly source?: KeySource;
}

/** What a request is made of; the rest is a plain GET over HTTP/1.1. */
export interface RequestFields {
  readonly method?: string;
  readonly target?: string;
  readonly httpVersion?: string;
  /** Name, value, name, value; a Host line is put first unless `host` says otherwise. */
  readonly headers?: readonly string[];
  /** Null for no Host line. */
  readonly host?: string | null;
  readonly peer?: string;
}

export function gateConfig(change: ConfigChange = {}): GateConfig {
  return gateConfigSchema.parse({
    upstreams: { default: { url: "http://backend.test:8000" } },
    key_format: { prefix: "mem", environments: ["live", "test"] },
    keys: { file: "keys.yaml" },
    scopes: { admin: ["read", "write", "delete"] },
    routes: [
      { path: "/health", public: true },
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
      { path: "/v1/memories/**", methods: ["POST", "PUT", "PATCH"], scopes: ["write"] },
      { path: "/v1/memories/**", methods: ["DELETE"], scopes: ["delete"] },
      { path: "/open/**" },
    ],
    ...change,
  });
}

export function requestLine(fields: RequestFields = {}): RequestLine {
  const { method = "GET", target = "/v1/memories", httpVersion = "1.1", headers = [] } = fields;
  const { host = "gate.test" } = fields;
  return { method, target, httpVersion, rawHeaders: host === null ? headers : ["Host", host, ...headers] };
}

export class GateScene {
  readonly clock = new ManualClock(NOW_MS);
  readonly config: GateConfig;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly state: GateState;
  readonly faults: readonly RouteFault[];
  /** What the last request's stages wrote down. */
  exchange: Exchange = new Exchange("", "", "", 0);

  constructor({ config, keys = [], source }: SceneOptions = {}) {
    this.config = gateConfig(config);
    this.upstreams = new UpstreamSet().prepare(this.config);
    const compiled = compileGate(this.config, {
      clock: this.clock,
      source: source ?? sourceOf(keys),
      counters: new KeyCounterTable(100),
      cacheStats: new KeyCacheStats(),
      upstreams: this.upstreams,
    });
    this.state = compiled.state;
    this.faults = compiled.faults;
  }

  /** The decision, or the promise of it, exactly as `decide` gave it. */
  ask(fields: RequestFields = {}): Decision | Promise<Decision> {
    this.exchange = new Exchange("req-1", fields.method ?? "GET", fields.peer ?? "192.0.2.1", 0);
    return decide(this.state, requestLine(fields), this.exchange);
  }

  /** The decision of a state that need not wait. */
  decide(fields: RequestFields = {}): Decision {
    const decision = this.ask(fields);
    if (decision instanceof Promise) throw new Error("the decision waits for a look-up");
    return decision;
  }

  /** `admitted`, `preflight` or the code of the refusal. */
  code(fields: RequestFields = {}): string {
    return codeOf(this.decide(fields));
  }

  admit(fields: RequestFields = {}): Admitted {
    return admittedOf(this.decide(fields));
  }

  async close(): Promise<void> {
    this.state.keys.close();
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.destroy()));
  }
}

export function sourceOf(keys: readonly KeyFixture[]): FileKeySource {
  return new FileKeySource(CompactKeys.of(keys.map(({ secret, record }) => [digestOf(secret), record])));
}

export function codeOf(decision: Decision): string {
  if (decision instanceof Denial) return decision.code;
  return decision instanceof Preflight ? "preflight" : "admitted";
}

export function admittedOf(decision: Decision): Admitted {
  if (decision instanceof Denial) throw new Error(`refused: ${decision.code} (${decision.note ?? ""})`);
  if (decision instanceof Preflight) throw new Error("taken for a preflight");
  return decision;
}

/** Pairs of a flat name, value list. */
export function pairsOf(headers: readonly string[]): readonly (readonly [name: string, value: string])[] {
  return Array.from({ length: Math.ceil(headers.length / 2) }, (_, i) => [
    headers[2 * i] ?? "",
    headers[2 * i + 1] ?? "",
  ]);
}

/** All values of a header, however it is spelled. */
export function valuesOf(headers: readonly string[], name: string): readonly string[] {
  return pairsOf(headers)
    .filter(([spelled]) => spelled.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value);
}
