/**
 * `keyward explain`: what the gate would do with one request, stage by stage, without sending it.
 * It runs the gate's own decision on the same compiled config, so it cannot disagree with it.
 */
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { renderFault } from "../document/fault.ts";
import { denialKinds } from "../errors/catalogue.ts";
import { Denial } from "../errors/denial.ts";
import { type Decision, Preflight, decide } from "../gate/decide.ts";
import { Exchange } from "../gate/exchange.ts";
import type { GateState } from "../gate/gate-state.ts";
import type { RequestLine } from "../gate/head.ts";
import { planHandled } from "../gate/key-handler.ts";
import { buildOutgoingHeaders } from "../gate/outgoing.ts";
import { UpstreamSet } from "../gate/upstreams.ts";
import { KeyCacheStats } from "../keys/cache.ts";
import { KeyCounterTable } from "../keys/counters.ts";
import { FileKeySource } from "../keys/file-source.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./command.ts";
import { loadGate } from "./load-gate.ts";
import { sourceForOnce } from "./registry-origin.ts";

const USAGE = `Usage: keyward explain --path PATH [--method GET] [--key KEY] [--config keyward.yaml] [--json]

Shows what the gate would do with one request, stage by stage, without sending it. Exit code 0 when it
would be let in, 1 when it would be refused.

  --path PATH      path, with its query where there is one
  --method METHOD  default: GET
  --key KEY        the API key; - reads it from standard input
  --header LINE    a further header, "Name: value"; may be repeated
  --from ADDRESS   address of the client (default: 127.0.0.1)
  --config FILE    config of the gate (default: keyward.yaml)
  --json           one JSON object instead of text
`;

const OPTIONS = {
  config: { type: "string", default: "keyward.yaml" },
  method: { type: "string", default: "GET" },
  path: { type: "string" },
  key: { type: "string" },
  header: { type: "string", multiple: true, default: [] as string[] },
  from: { type: "string", default: "127.0.0.1" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** What would become of the request; `key` facts are those of the registered key, never the secret. */
export interface Explanation {
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly note: string | undefined;
  readonly path: string | undefined;
  readonly route: string | undefined;
  readonly key_id: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly action: "deny" | "preflight" | "whoami" | "keys" | "usage" | "forward";
  readonly upstream: string | undefined;
  /** Name, value pairs that the upstream would receive. */
  readonly headers: readonly (readonly [string, string])[] | undefined;
}

export async function run(args: readonly string[], io: CommandIo & { stdin?: Readable }): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  if (values.path === undefined) {
    io.stderr.write("keyward explain: --path is needed, for example --path /v1/memories\n");
    return EXIT_USAGE;
  }
  const upstreams = new UpstreamSet();
  const loaded = loadGate(values.config, io.env, upstreams);
  if (!loaded.ok) {
    for (const fault of loaded.faults) io.stderr.write(`${renderFault(fault)}\n`);
    return EXIT_CONFIG;
  }
  const { keys, cache } = loaded.config;
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => upstreams.destroy());
  const registry = keys.registry === undefined ? undefined : sourceForOnce(keys.registry, cache);
  if (registry !== undefined) cleanUp.defer(() => registry.close());
  await registry?.start();
  const state = loaded.compile({
    clock: systemClock,
    source: registry ?? new FileKeySource(loaded.keys),
    counters: new KeyCounterTable(1),
    cacheStats: new KeyCacheStats(),
    upstreams: loaded.upstreams,
  });
  const key = values.key === "-" && io.stdin !== undefined ? (await text(io.stdin)).trim() : values.key;
  const line = requestLine(values.method, values.path, key, values.header, state);
  if (line === undefined) {
    io.stderr.write('keyward explain: --header is written "Name: value"\n');
    return EXIT_USAGE;
  }
  const explanation = await explain(state, line, values.from, registry !== undefined);
  io.stdout.write(values.json ? `${JSON.stringify(explanation)}\n` : render(explanation, line));
  return explanation.action === "deny" ? EXIT_FAILURE : EXIT_OK;
}

/** Of what the gate answers itself. */
const nothingSent = { code: undefined, upstream: undefined, headers: undefined };

/** Runs the gate's decision for one request. */
async function explain(
  state: GateState,
  line: RequestLine,
  address: string,
  hasRegistry: boolean,
): Promise<Explanation> {
  const exchange = new Exchange("explain", line.method, address, 0);
  const decision = await decide(state, line, exchange);
  const facts = {
    path: exchange.path,
    route: exchange.route,
    key_id: exchange.key?.id,
    scopes: exchange.key?.scopes,
  };
  if (decision instanceof Denial) {
    const { status } = denialKinds[decision.code];
    return { action: "deny", status, ...nothingSent, code: decision.code, note: decision.note, ...facts };
  }
  return { ...outcomeOf(state, decision, line, exchange, hasRegistry), note: undefined, ...facts };
}

function outcomeOf(
  state: GateState,
  decision: Exclude<Decision, Denial>,
  line: RequestLine,
  exchange: Exchange,
  hasRegistry: boolean,
) {
  if (decision instanceof Preflight) {
    return { action: "preflight", status: 204, ...nothingSent } as const;
  }
  const { handler } = decision.route;
  if (handler === "whoami") return { action: handler, status: 200, ...nothingSent } as const;
  if (handler !== undefined) {
    const ask = planHandled(decision, line.method);
    // What the registry will say, only the registry knows.
    if (!(ask instanceof Denial) && hasRegistry)
      return { action: handler, status: undefined, ...nothingSent };
    const code = ask instanceof Denial ? ask.code : "not_implemented";
    return { action: handler, status: denialKinds[code].status, ...nothingSent, code };
  }
  const flat = buildOutgoingHeaders(decision, line.rawHeaders, {
    table: state.headers,
    via: state.via,
    trustedProxies: state.trustedProxies,
    isTls: false,
    requestId: exchange.id,
    peerAddress: exchange.remoteAddress,
  });
  const shown = concealCredential(flat, decision.upstream.credentialHeaders);
  const upstream = decision.upstream.name;
  return { action: "forward", status: undefined, code: undefined, upstream, headers: shown } as const;
}

/** The backend's own credential is shown as being set, not as what it is. */
function concealCredential(flat: readonly string[], credential: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const isCredential = flat[i] === credential[0] && flat[i + 1] === credential[1];
    pairs.push([flat[i] ?? "", isCredential ? "(the backend's credential)" : (flat[i + 1] ?? "")]);
  }
  return pairs;
}

/** Puts the key into the first configured place, as a client would. */
function requestLine(
  method: string,
  target: string,
  key: string | undefined,
  headers: readonly string[],
  state: GateState,
): RequestLine | undefined {
  const rawHeaders: string[] = [];
  for (const header of headers) {
    const colon = header.indexOf(":");
    if (colon < 1) return undefined;
    rawHeaders.push(header.slice(0, colon), header.slice(colon + 1).trim());
  }
  if (!rawHeaders.some((name, i) => i % 2 === 0 && name.toLowerCase() === "host")) {
    rawHeaders.push("Host", "gate.example");
  }
  const place = state.places[0];
  if (key !== undefined && place !== undefined) {
    const scheme = place.schemes?.[0];
    rawHeaders.push(place.header, scheme === undefined ? key : `${scheme} ${key}`);
  }
  return { method: method.toUpperCase(), target, httpVersion: "1.1", rawHeaders };
}

function render(explanation: Explanation, line: RequestLine): string {
  const rows: [string, string][] = [
    ["request", `${line.method} ${line.target}`],
    ["path", explanation.path ?? "refused"],
    ["route", explanation.route ?? "none (default deny)"],
    ["key", explanation.key_id ?? "none"],
    ["scopes", explanation.scopes?.join(" ") ?? ""],
    ["decision", decisionText(explanation)],
  ];
  if (explanation.note !== undefined) rows.push(["because", explanation.note]);
  if (explanation.upstream !== undefined) rows.push(["upstream", explanation.upstream]);
  for (const [name, value] of explanation.headers ?? []) rows.push(["  header", `${name}: ${value}`]);
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.padEnd(10)} ${value}\n`)
    .join("");
}

function decisionText({ action, status, code }: Explanation): string {
  if (action === "deny") return `refused with ${status} ${code}`;
  if (action === "forward") return "forwarded";
  if (status === undefined) return `answered by the gate (${action}), from the registry`;
  return `answered by the gate (${action})${code === undefined ? "" : `: ${status} ${code}`}`;
}
