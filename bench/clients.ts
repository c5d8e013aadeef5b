/**
 * What a request costs the gate with either of its clients: `npm run bench:clients`, with `--json`
 * for programs. The gate as shipped (key check, scopes, identity, metrics; no access log) in front
 * of a small backend, 64 connections, rounds taking turns, so that a machine that drifts drifts
 * for both. CPU time per request is the figure to quote: the load generator shares the cores.
 */
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { makeKey, writeGateFiles } from "../test/support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../test/support/gate-process.ts";
import { portOf } from "../test/support/listening.ts";
import { makeTempFolder } from "../test/support/temp-folder.ts";

const CLIENTS = ["auto", "undici"] as const;
const ROUNDS = 5;
const REQUESTS = 20_000;
const WARM_UP = 5_000;

interface Round {
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** User and system time of a process so far, microseconds (proc(5): 100 ticks a second). */
function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function load(gate: GateProcess, secret: string, amount: number): Promise<Round> {
  const before = cpuMicros(gate.child.pid);
  const result = await autocannon({
    url: `${gate.url}/v1/memories/m_1`,
    connections: 64,
    amount,
    headers: { authorization: `Bearer ${secret}` },
  });
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx + result.errors} requests failed`);
  return {
    cpuMicros: (cpuMicros(gate.child.pid) - before) / amount,
    perSecond: amount / result.duration,
    p99Ms: result.latency.p99,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const body = JSON.stringify({ id: "m_1", text: "Ada prefers tea", created_at: "2026-11-21T00:00:00Z" });
const backend = createServer((_req, res) => {
  res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  res.end(body);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => backend.once("listening", resolve));

await using cleanUp = new AsyncDisposableStack();
const key = makeKey();
const gates = new Map<string, GateProcess>();
for (const client of CLIENTS) {
  const folder = cleanUp.use(await makeTempFolder());
  const upstreams = { default: { url: `http://127.0.0.1:${portOf(backend)}`, client } };
  const config = { upstreams, log: { access: false } };
  const { configFile } = await writeGateFiles(folder, { upstreamUrl: "", keys: [key], config });
  gates.set(client, cleanUp.use(await startGateProcess(configFile)));
}
const rounds = new Map<string, Round[]>(CLIENTS.map((client) => [client, []]));
for (const gate of gates.values()) await load(gate, key.secret, WARM_UP);
for (let round = 0; round < ROUNDS; round++) {
  for (const [client, gate] of gates) rounds.get(client)?.push(await load(gate, key.secret, REQUESTS));
}
backend.close();
backend.closeAllConnections();

const rows = [...rounds].map(([client, of]) => ({
  client: client === "auto" ? "own" : client,
  cpu_us_per_request: Number(median(of.map((round) => round.cpuMicros)).toFixed(1)),
  requests_per_second: Math.round(median(of.map((round) => round.perSecond))),
  p99_ms: median(of.map((round) => round.p99Ms)),
}));
if (values.json) process.stdout.write(`${JSON.stringify({ rounds: ROUNDS, requests: REQUESTS, rows })}\n`);
else console.table(rows);
