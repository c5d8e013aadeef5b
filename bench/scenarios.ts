/** What is measured, one entry each: who takes part, and one round of one rival. */
import { type Load, type Loaded, type LoadTool, run, runOwn } from "./load.ts";
import { GOOD_KEY, WRITE_ONLY_KEY, secretOf, unknownSecretOf } from "./keys.ts";
import type { Lab, Running } from "./lab.ts";
import { cpuMicros, residentMiB } from "./process-cost.ts";
import type { BackendKind, Rival } from "./rivals.ts";

/** Figures of one round by name, their unit at the end of the name. */
export type Figures = Readonly<Record<string, number>>;

export interface Round {
  readonly lab: Lab;
  readonly proxy: Running;
  readonly rival: Rival;
  readonly seconds: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What the costs are of. */
  readonly per: "request" | "event" | "start";
  readonly rivals: readonly string[];
  readonly backend: BackendKind;
  measure(round: Round): Promise<Figures>;
}

const ALL = "keyward nginx haproxy nginx-auth-request caddy http-proxy-3 fastify-http-proxy httpxy".split(
  " ",
);
const CHECKING = ["keyward", "nginx", "haproxy", "nginx-auth-request"];
const GET = { path: "/v1/memories/m_1", connections: 64 };
const PLAIN_STATUS = { refused: 0 };

/** What one round of load cost the proxy. */
async function underLoad(
  { lab, proxy, seconds }: Pick<Round, "lab" | "proxy" | "seconds">,
  load: Omit<Load, "port" | "seconds" | "folder">,
  expected: { readonly refused: number } = PLAIN_STATUS,
  tool?: LoadTool,
): Promise<Figures> {
  const pids = proxy.pids();
  const before = cpuMicros(pids);
  const loaded = await run({ ...load, port: proxy.port, seconds, folder: lab.folder }, tool);
  const cpu = cpuMicros(pids) - before;
  check(loaded, expected.refused);
  return {
    cpu_us: cpu / loaded.requests,
    per_second: loaded.requests / loaded.seconds,
    p50_us: loaded.p50,
    p99_us: loaded.p99,
    rss_mib: residentMiB(pids),
  };
}

/** A proxy that is fast at failing has not won anything. */
function check({ requests, refused, broken }: Loaded, expectedShare: number): void {
  const share = refused / requests;
  if (requests === 0 || Math.abs(share - expectedShare) > 0.02 || broken > requests / 100) {
    throw new Error(`${requests} requests, ${refused} refused, ${broken} broken`);
  }
}

const good = secretOf(GOOD_KEY);

function simple(
  name: string,
  title: string,
  rivals: readonly string[],
  load: Partial<Load>,
  of: { readonly backend?: BackendKind; readonly refused?: number; readonly tool?: LoadTool } = {},
): Scenario {
  const { backend = "cheapest", refused = 0, tool } = of;
  const whole = { ...GET, secrets: [good], ...load };
  const measure = (round: Round): Promise<Figures> => underLoad(round, whole, { refused }, tool);
  return { name, title, per: "request", rivals, backend, measure };
}

function range(count: number, step = 1): number[] {
  return Array.from({ length: count }, (_, n) => n * step);
}

/** Secrets spread over all keys, so that as many as 5,000 are in use at once. */
function spread(keys: number): string[] {
  const inUse = Math.min(keys, 5000);
  return range(inUse, Math.floor(keys / inUse))
    .filter((index) => index !== WRITE_ONLY_KEY)
    .map(secretOf);
}

const unknown = range(20_000).map(unknownSecretOf);
const KEYS_OF: Readonly<Record<string, number>> = {
  "keyward-100-keys": 100,
  "keyward-1000000-keys": 1_000_000,
};

export const scenarios: readonly Scenario[] = [
  simple(
    "get",
    "small GET, key cached",
    [...ALL, "keyward-log", "keyward-undici", "nginx-log", "node-splice"],
    {},
  ),
  simple("get-autocannon", "the same, by autocannon", ALL, {}, { tool: "autocannon" }),
  simple("unknown-key", "unknown key, refused with 401", CHECKING, { secrets: unknown }, { refused: 1 }),
  simple(
    "missing-scope",
    "missing scope, refused with 403",
    CHECKING,
    { secrets: [secretOf(WRITE_ONLY_KEY)] },
    { refused: 1 },
  ),
  simple("answer-64k", "answers of 64 KB", [...ALL, "keyward-undici", "node-splice"], {
    path: "/v1/memories/64k",
  }),
  simple("answer-1m", "answers of 1 MB", ALL, { path: "/v1/memories/1m", connections: 16 }),
  simple(
    "upload-1m",
    "uploads of 1 MB",
    ALL.filter((name) => name !== "nginx-auth-request"),
    { method: "POST", bodyBytes: 1024 * 1024, connections: 16 },
    { backend: "node" },
  ),
  {
    name: "event-streams",
    title: "200 event streams, 50 events a second each",
    per: "event",
    rivals: ALL.filter((name) => name !== "nginx-auth-request"),
    backend: "node",
    async measure({ proxy, seconds }) {
      const args = [proxy.port, good, 200, seconds, proxy.pids()[0]].map(String);
      const { events, cpuMicros: cpu } = await runOwn<{ events: number; cpuMicros: number }>(
        "streams.ts",
        args,
      );
      return { cpu_us: cpu / events, per_second: events / seconds, rss_mib: residentMiB(proxy.pids()) };
    },
  },
  {
    name: "one-connection",
    title: "one connection, one request at a time",
    per: "request",
    rivals: ["direct", "node-splice", ...ALL],
    backend: "cheapest",
    async measure({ proxy, seconds }) {
      const pids = proxy.pids();
      const before = cpuMicros(pids);
      const args = [proxy.port, good, seconds].map(String);
      const { requests, p50, p99 } = await runOwn<Pick<Loaded, "requests" | "p50" | "p99">>(
        "one-connection.ts",
        args,
      );
      return { cpu_us: (cpuMicros(pids) - before) / requests, p50_us: p50, p99_us: p99 };
    },
  },
  simple("churn", "a connection for each request", ALL, { churns: true }),
  {
    ...simple("keys", "10² to 10⁶ keys, 5,000 of them in use", [], {}),
    rivals: ["keyward-100-keys", "keyward", "keyward-registry", "keyward-1000000-keys"],
    measure: (round) => underLoad(round, { ...GET, secrets: spread(KEYS_OF[round.rival.name] ?? 10_000) }),
  },
  simple("routes", "10 to 1,000 routes", ["keyward", "keyward-100-routes", "keyward-1000-routes"], {}),
  {
    ...simple("workers", "two workers", ["keyward", "keyward-2-workers"], { connections: 256 }),
    async measure({ lab, proxy, seconds }) {
      const before = new Map(proxy.pids().map((pid) => [pid, cpuMicros([pid])]));
      const figures = await underLoad({ lab, proxy, seconds }, { ...GET, connections: 256, secrets: [good] });
      const costs = [...before].map(([pid, cpu]) => cpuMicros([pid]) - cpu);
      const total = costs.reduce((sum, cost) => sum + cost, 0);
      // With a core for each, the busiest worker is what limits all of them.
      return { ...figures, busiest_us: ((figures["cpu_us"] ?? 0) * Math.max(...costs)) / total };
    },
  },
  {
    name: "flood",
    title: "good requests at a steady 500 a second, alone and beside a flood of random keys",
    per: "request",
    rivals: ["keyward", "nginx"],
    backend: "cheapest",
    async measure({ lab, proxy, seconds }) {
      const ask = async (): Promise<Loaded> =>
        await runOwn<Loaded>("paced.ts", [proxy.port, good, 500, seconds].map(String));
      const calm = await ask();
      const mixed = range(unknown.length).map((n) => (n % 2 === 0 ? good : (unknown[n] ?? "")));
      const load = { ...GET, port: proxy.port, seconds, folder: lab.folder };
      const flooded = { ...load, connections: 2, secrets: unknown };
      const [busy] = await Promise.all([ask(), run(flooded)]);
      const alone = await underLoad({ lab, proxy, seconds }, { ...GET, secrets: [good] });
      const refused = await underLoad({ lab, proxy, seconds }, { ...GET, secrets: unknown }, { refused: 1 });
      const both = await underLoad({ lab, proxy, seconds }, { ...GET, secrets: mixed }, { refused: 0.5 });
      // What a good one costs while every second request is a random key.
      const good_us = 2 * (both["cpu_us"] ?? 0) - (refused["cpu_us"] ?? 0);
      return {
        cpu_us: alone["cpu_us"] ?? 0,
        cpu_beside_flood_us: good_us,
        p50_us: calm.p50,
        p50_beside_flood_us: busy.p50,
        p99_us: calm.p99,
        p99_beside_flood_us: busy.p99,
      };
    },
  },
  {
    name: "start",
    title: "start to first answer with 10,000 keys, and memory when idle",
    per: "start",
    rivals: [...ALL, "keyward-100-keys"],
    backend: "cheapest",
    async measure({ lab, rival }) {
      await using proxy = await rival.start(lab, "cheapest");
      // What start-up left behind shall be gone; nothing tells when.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const pids = proxy.pids();
      return { start_ms: proxy.startMs, rss_mib: residentMiB(pids), cpu_ms: cpuMicros(pids) / 1000 };
    },
  },
];
