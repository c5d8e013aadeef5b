/**
 * The whole decision and the headers that follow from it: nothing is admitted that the model would
 * not admit, and each header that goes up is one that the model expects.
 */
import { isDeepStrictEqual } from "node:util";
import { Denial } from "../../../src/errors/denial.ts";
import type { Admitted } from "../../../src/gate/admit.ts";
import { Preflight } from "../../../src/gate/decide.ts";
import { buildOutgoingHeaders } from "../../../src/gate/outgoing.ts";
import { type KeyFields, makeKey } from "../../support/fixtures.ts";
import { GateScene, pairsOf, requestLine } from "../../support/gate-scene.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";
import { type Caller, type Expectation, expectByModel, fold, PROTECTED } from "./request-model.ts";
import { fieldsOf, type Line, parseRequest, type RequestText } from "./request-text.ts";

const secretOf = (id: string): string => `mem_live_${id}_0123456789abcdef`;
const KEYS = (
  [
    { id: "key_full", folders: ["fld_1"], scopes: ["read", "write"] },
    { id: "key_bare", project: undefined, environment: undefined, scopes: ["read"] },
    { id: "key_other", organization: { id: "org_b" }, project: { id: "proj_b" }, scopes: ["admin"] },
    { id: "key_revoked", revoked_at: "2025-01-01T00:00:00Z" },
    { id: "key_expired", expires_at: "2025-01-01T00:00:00Z" },
  ] as (KeyFields & { id: string })[]
).map((fields) => makeKey({ secret: secretOf(fields.id), ...fields }));

const CALLERS: readonly Caller[] = [
  {
    secret: secretOf("key_full"),
    scopes: ["read", "write"],
    identity: [
      ["x-org-id", "org_acme"],
      ["x_tenant_id", "proj_tech"],
      ["x-key-id", "key_full"],
      ["x-folder-ids", "fld_1"],
    ],
  },
  {
    secret: secretOf("key_bare"),
    scopes: ["read"],
    identity: [
      ["x-org-id", "org_acme"],
      ["x-key-id", "key_bare"],
    ],
  },
  {
    secret: secretOf("key_other"),
    scopes: ["admin", "read", "write"],
    identity: [
      ["x-org-id", "org_b"],
      ["x_tenant_id", "proj_b"],
      ["x-key-id", "key_other"],
    ],
  },
];

const METHODS = [
  "GET",
  "GET",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "QUERY",
  "TRACE",
  "get",
];
const TARGETS = [
  ..."/v1/memories /v1/memories/abc /v1/memories/admin /v1/memories/admin/keys /v1/memories/adm%69n/x /open/a".split(
    " ",
  ),
  ..."/health /health/ /health?x=1 /v1/memories?x=%2e%2e /v1/other http://gate.test/v1/memories /open".split(
    " ",
  ),
  ..."/v1/%6demories /v1/memories/%61dmin /v1/memoriesx /v1/memories/a:b /health%2f..%2fopen".split(" "),
  `/v1/memories?k=${secretOf("key_full")}`,
  `/open/mem%5Flive%5Fkey_full_0123456789abcdef`,
];
const PLAIN = [
  "Accept",
  "Cookie",
  "Referer",
  "X-Foo",
  "x_foo",
  "X-Real-IP",
  "x_real_ip",
  "Content-Type",
  "a.b",
  "Origin",
];
const VALUES = [
  ..."org_evil|1|0|a, b|close|chunked|gate.test|10.1.2.3|203.0.113.7, 10.0.0.9|1.1 fred|1.1 keyward|https|é".split(
    "|",
  ),
  ...KEYS.map(({ secret }) => secret),
  ...KEYS.map(({ secret }) => `Bearer ${secret}`),
  `key=${secretOf("key_other")}; x`,
  "",
];
const NOMINATED = [
  "close",
  "x-foo",
  "accept",
  "te",
  "x_org_id",
  "x-org-id",
  "cookie",
  "host",
  "upgrade",
  "keep-alive",
];
const SEED = `GET /v1/memories 1.1 192.0.2.1\nHost: gate.test\nAuthorization: Bearer ${secretOf("key_full")}`;
const MATERIAL: Material = {
  words: [
    ...PROTECTED,
    ...PLAIN,
    ...VALUES,
    ...TARGETS,
    ": ",
    "\nX-Org-Id: org_evil",
    "\nConnection: x-org-id",
    "_",
  ],
  seeds: [SEED, `${SEED}\nX_Org.Id: org_evil\nConnection: close, X-Foo\nX-Foo: 1\nContent-Length: 05`],
};

export class RequestFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 1000;
  readonly figures = { admitted: 0, refused: 0, "headers compared": 0 };
  readonly #scene = new GateScene({
    keys: KEYS,
    config: {
      upstreams: {
        default: { url: "http://backend.test", auth: { header: "x-backend-token", value: "backend-secret" } },
      },
      routes: [
        { path: "/health", public: true },
        { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
        { path: "/v1/memories/**", methods: ["POST", "PUT", "PATCH"], scopes: ["write"] },
        { path: "/v1/memories/admin/**", scopes: ["admin"] },
        { path: "/open/**" },
      ],
      identity: { project: "X_Tenant_Id", folders: "X-Folder-Ids", environment: null },
      headers: { remove: ["X-Debug"], keep: ["X-Real-IP"] },
      trusted_proxies: ["10.0.0.0/8"],
    },
  });

  generate(random: Random): Input {
    const lines = [`Host: ${random.oneIn(12) ? random.pick(VALUES) : "gate.test"}`];
    if (!random.oneIn(6)) {
      const { secret } = random.pick(KEYS);
      lines.push(random.oneIn(3) ? `X-Api-Key: ${secret}` : `Authorization: Bearer ${secret}`);
    }
    for (let left = random.few(10); left > 0; left--) lines.push(lineOf(random));
    const target = random.pick(TARGETS);
    const version = random.oneIn(8) ? "1.0" : "1.1";
    const peer = random.oneIn(3) ? "10.0.0.1" : "192.0.2.1";
    const text = [`${random.pick(METHODS)} ${target} ${version} ${peer}`, ...shuffled(lines, random)].join(
      "\n",
    );
    return { text: random.oneIn(3) ? mutate(text, random, MATERIAL, 3) : text };
  }

  check({ text }: Input): Verdict {
    const request = parseRequest(text);
    const fields = fieldsOf(request);
    const decision = this.#scene.decide(fields);
    if (decision instanceof Denial || decision instanceof Preflight) {
      this.figures.refused++;
      return undefined;
    }
    this.figures.admitted++;
    const expected = expectByModel(request, CALLERS);
    if (expected === undefined)
      return { reason: `unauthorised: admitted as ${decision.key?.id ?? "public"}` };
    const built = buildOutgoingHeaders(decision, requestLine(fields).rawHeaders, this.#contextFor(request));
    return this.#compare(pairsOf(built), expected, decision);
  }

  #contextFor({ peer }: RequestText): Parameters<typeof buildOutgoingHeaders>[2] {
    const { headers: table, via, trustedProxies } = this.#scene.state;
    return { table, via, requestId: "req-1", peerAddress: peer, trustedProxies, isTls: false };
  }

  #compare(built: readonly Line[], { passed, said }: Expectation, { head }: Admitted): Verdict {
    this.figures["headers compared"] += built.length;
    const ours = new Set(said.map(([name]) => name));
    // The handshake's own lines go along with it and are checked by the upgrade's tests.
    const rest = built.filter(
      ([name]) => !(head.isWebSocket && /^sec-websocket-(?:key|version)$/i.test(name)),
    );
    const saidBuilt = rest.filter(([name]) => ours.has(name.toLowerCase()));
    const passedBuilt = rest.filter(([name]) => !ours.has(name.toLowerCase()));
    if (!isDeepStrictEqual(passedBuilt, passed)) return differ("passed on", passedBuilt, passed);
    const lower = saidBuilt.map(([name, value]): Line => [name.toLowerCase(), value]);
    if (!isDeepStrictEqual(sorted(lower), sorted(said))) return differ("said by the gate", lower, said);
    // By whatever folding: each name of the gate's own stands there as often as the gate said it.
    const folded = new Set(said.map(([name]) => fold(name)));
    const alias = passedBuilt.find(([name]) => folded.has(fold(name)));
    return alias === undefined ? undefined : { reason: `forged: ${JSON.stringify(alias)}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scene.close();
  }
}

function lineOf(random: Random): string {
  const kind = random.below(8);
  if (kind === 0) {
    const names = Array.from({ length: random.few(4) }, () => random.pick(NOMINATED));
    return `Connection: ${names.join(random.oneIn(4) ? "," : ", ")}`;
  }
  if (kind === 1) return `Content-Length: ${random.pick(["0", "5", "0005", "9007199254740993"])}`;
  const name = random.oneIn(3) ? random.pick(PLAIN) : spelled(random.pick(PROTECTED), random);
  return `${name}: ${random.pick(VALUES)}`;
}

/** In some case, with some hyphens turned into what some server takes for one. */
function spelled(name: string, random: Random): string {
  if (random.oneIn(3)) return name;
  return name.replaceAll(/./g, (char) => {
    if (char === "-" && random.oneIn(3)) return random.pick(["_", ".", "~", "--"]);
    return random.oneIn(3) ? char.toUpperCase() : char;
  });
}

function shuffled(lines: readonly string[], random: Random): readonly string[] {
  return lines
    .map((line) => [random.next(), line] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, line]) => line);
}

function sorted(lines: readonly Line[]): readonly Line[] {
  return lines.toSorted((a, b) => a.join("\0").localeCompare(b.join("\0")));
}

function differ(what: string, actual: readonly Line[], expected: readonly Line[]): Verdict {
  const only = (some: readonly Line[], others: readonly Line[]): string =>
    JSON.stringify(some.filter((line) => !others.some((other) => isDeepStrictEqual(line, other))));
  return {
    reason: `${what}: only by the gate ${only(actual, expected)}, only by the model ${only(expected, actual)}`,
  };
}
