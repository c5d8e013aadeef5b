/**
 * Health checks of backends that only the gate can reach: the kubelet asks from the node, and a
 * backend that is bound to the loopback address does not hear it. Only paths that the config names
 * are asked, and only the status comes back.
 */
import type { GateConfig } from "../config/schema.ts";
import { defaultUpstream } from "../config/upstream-section.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamSet } from "./upstreams.ts";

/** Below the second that the kubelet gives a probe unless it is told otherwise. */
const ANSWER_MS = 900;
/** Of one probe at once; more are refused, so that a backend that hangs is not asked ever again. */
const AT_ONCE_MAX = 4;

/** The status of the backend's answer; undefined when it gave none in time. */
export type ProbeAnswer = number | undefined;

interface Probe {
  readonly upstream: Upstream;
  readonly path: string;
  running: number;
}

export class BackendProbes {
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #probes = new Map<string, Probe>();

  constructor(config: GateConfig) {
    const probes = Object.entries(config.ops.probes ?? {});
    // Connections of its own: a backend whose connections are all in use is not dead.
    this.#upstreams = probes.length > 0 ? new UpstreamSet().prepare(config) : new Map<string, Upstream>();
    for (const [name, probe] of probes) {
      const upstream = this.#upstreams.get(probe.upstream ?? defaultUpstream(config.upstreams) ?? "");
      if (upstream !== undefined) this.#probes.set(name, { upstream, path: probe.path, running: 0 });
    }
  }

  /** Undefined for a name that is no probe's. */
  ask(name: string): Promise<ProbeAnswer> | undefined {
    const probe = this.#probes.get(name);
    return probe === undefined ? undefined : ask(probe);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.destroy()));
  }
}

async function ask(probe: Probe): Promise<ProbeAnswer> {
  if (probe.running >= AT_ONCE_MAX) return undefined;
  probe.running++;
  try {
    const { upstream, path } = probe;
    const { statusCode, body } = await upstream.pool.request({
      method: "GET",
      path,
      headers: [...upstream.credentialHeaders, "user-agent", "keyward-probe"],
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    // Its body is nobody's business here.
    body.on("error", () => undefined).destroy();
    return statusCode;
  } catch {
    return undefined;
  } finally {
    probe.running--;
  }
}
