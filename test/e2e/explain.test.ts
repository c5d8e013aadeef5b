/**
 * `keyward explain` promises what the gate does: a table of requests is explained, then sent, and
 * the two must agree on status, reason, route, key and every header that the backend gets.
 */
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Explanation, run } from "../../src/cli/explain.ts";
import { runChild } from "../support/child.ts";
import { makeKey } from "../support/fixtures.ts";
import { launcher, type LogLine } from "../support/gate-process.ts";
import type { Field } from "../support/http-message.ts";
import { connectRaw } from "../support/raw-client.ts";
import { configFile, type SystemName, type SystemScene, startSystem } from "../support/system-scene.ts";

/** A request, and what everybody should make of it: an action, or the code of a refusal. */
interface Row {
  readonly outcome: string;
  readonly line: string;
  readonly key?: string;
  readonly headers?: readonly Field[];
  readonly body?: string;
}

/** What came of a row, twice. */
interface Outcome {
  readonly exitCode: number;
  readonly explained: Explanation;
  readonly status: number;
  readonly body: string;
  readonly log: LogLine;
  /** What reached the backend; undefined when nothing did. */
  readonly received: readonly string[] | undefined;
}

const [DAY, YEAR] = ["2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"];

const ADMIN = "mem_live_EXAMPLE-acme-administrator";
const CHATBOT = "mem_live_EXAMPLE-acme-chatbot";
const READER = "mem_test_EXAMPLE-acme-test-suite";
const UNKNOWN = "mem_live_EXAMPLE-that-nobody-made";
const expired = makeKey({ secret: "mem_live_EXAMPLE-of-an-earlier-year", expires_at: DAY });
const revoked = makeKey({ secret: "mem_live_EXAMPLE-that-was-taken-away", revoked_at: DAY });
const early = makeKey({ secret: "mem_live_EXAMPLE-of-a-later-year", not_before: YEAR });

const length = (bytes: number): Field => ["Content-Length", String(bytes)];
const spoofed: readonly Field[] = [
  ["X-Org-Id", "org_globex"],
  ["x_org_id", "org_globex"],
  ["X-Forwarded-For", "203.0.113.9"],
  ["X-Real-IP", "203.0.113.9"],
  ["Accept", "application/json"],
  ["X-Custom", "kept"],
];
const webSocket: readonly Field[] = [
  ["Connection", "Upgrade"],
  ["Upgrade", "websocket"],
];

const memoryApi: readonly Row[] = [
  { outcome: "forward", line: "GET /health" },
  { outcome: "forward", line: "GET /health", key: CHATBOT, headers: spoofed },
  { outcome: "forward", line: "POST /signup", headers: [length(2)], body: "{}" },
  { outcome: "forward", line: "GET /v1/memories", key: CHATBOT },
  { outcome: "forward", line: "get /v1/memories?limit=5&q=%2F", key: CHATBOT, headers: spoofed },
  { outcome: "forward", line: "HEAD /v1/memories/m_1", key: READER },
  { outcome: "forward", line: "GET /v1/mem%6Fries/%7Ada", key: READER },
  { outcome: "forward", line: "POST /v1/memories/search", key: READER, headers: [length(2)], body: "{}" },
  { outcome: "forward", line: "POST /v1/memories", key: CHATBOT, headers: [length(2)], body: "{}" },
  { outcome: "forward", line: "DELETE /v1/memories/m_1", key: ADMIN },
  { outcome: "forward", line: "GET /v1/memories", headers: [["X-API-Key", CHATBOT]] },
  { outcome: "forward", line: "GET /v1/memories", key: CHATBOT, headers: [["X-API-Key", CHATBOT]] },
  {
    outcome: "forward",
    line: "GET /v1/memories",
    key: CHATBOT,
    headers: [
      ["Connection", "X-Custom"],
      ["X-Custom", "for this hop"],
      ["TE", "trailers"],
      ["Referer", `http://localhost/?key=${CHATBOT}`],
    ],
  },
  { outcome: "whoami", line: "GET /v1/me", key: READER },
  { outcome: "keys", line: "GET /v1/account/api-keys", key: ADMIN },
  { outcome: "keys", line: "DELETE /v1/account/api-keys/key_1", key: ADMIN },
  { outcome: "key_missing", line: "GET /v1/memories" },
  { outcome: "key_missing", line: "GET /v1/memories", headers: [["Authorization", "Basic YTpi"]] },
  { outcome: "key_missing", line: "GET /nowhere" },
  { outcome: "key_ambiguous", line: "GET /v1/memories", key: CHATBOT, headers: [["X-API-Key", ADMIN]] },
  { outcome: "key_invalid", line: "GET /v1/memories", key: UNKNOWN },
  { outcome: "key_invalid", line: "GET /v1/memories", key: "sk_live_EXAMPLE-of-another-system" },
  { outcome: "key_invalid", line: "GET /v1/memories", key: "mem_prod_EXAMPLE-of-no-environment" },
  { outcome: "key_invalid", line: "GET /v1/memories", key: `${CHATBOT} and more` },
  { outcome: "key_expired", line: "GET /v1/memories", key: expired.secret },
  { outcome: "key_revoked", line: "GET /v1/memories", key: revoked.secret },
  { outcome: "key_not_yet_valid", line: "GET /v1/memories", key: early.secret },
  { outcome: "scope_missing", line: "DELETE /v1/memories/m_1", key: CHATBOT },
  { outcome: "scope_missing", line: "PATCH /v1/memories/m_1", key: READER },
  { outcome: "scope_missing", line: "GET /v1/account/api-keys", key: CHATBOT },
  { outcome: "route_denied", line: "GET /v1/admin", key: ADMIN },
  { outcome: "route_denied", line: "OPTIONS /v1/me", key: ADMIN },
  { outcome: "target_ambiguous", line: "GET /v1/memories/../admin", key: ADMIN },
  { outcome: "target_ambiguous", line: "GET /v1/memories%2fm_1", key: ADMIN },
  { outcome: "target_ambiguous", line: "GET /v1/memories;a=b", key: ADMIN },
  { outcome: "target_invalid", line: "GET /v1/memories/%zz", key: ADMIN },
  { outcome: "target_too_long", line: `GET /v1/memories?q=${"a".repeat(9000)}`, key: ADMIN },
  { outcome: "credential_in_target", line: `GET /v1/memories?key=${CHATBOT}`, key: CHATBOT },
  { outcome: "body_too_large", line: "POST /v1/memories", key: CHATBOT, headers: [length(2 ** 30)] },
  { outcome: "host_invalid", line: "GET /v1/memories", key: CHATBOT, headers: [["Host", "another.example"]] },
  { outcome: "loop_detected", line: "GET /v1/memories", key: CHATBOT, headers: [["Via", "1.1 keyward"]] },
  { outcome: "method_unsupported", line: "PROPFIND /v1/memories", key: CHATBOT },
  { outcome: "expectation_failed", line: "GET /health", headers: [["Expect", "the unexpected"]] },
  { outcome: "forward", line: "GET /health", headers: [["Expect", "100-continue"]] },
  { outcome: "connection_invalid", line: "GET /health", headers: [["Connection", "X-Org-Id"]] },
  { outcome: "websocket_version", line: "GET /v1/memories", key: CHATBOT, headers: webSocket },
  {
    outcome: "upgrade_invalid",
    line: "GET /v1/memories",
    key: CHATBOT,
    headers: [...webSocket, ["Sec-WebSocket-Version", "13"]],
  },
];

const PLATFORM = "msk_live_EXAMPLE-acme-platform";
const DASHBOARD = "msk_live_EXAMPLE-acme-dashboard";
const TESTS = "msk_test_EXAMPLE-acme-test-suite";

const memsolus: readonly Row[] = [
  { outcome: "forward", line: "GET /v1/memories", key: PLATFORM },
  { outcome: "forward", line: "GET /v1/memories", key: TESTS, headers: spoofed },
  { outcome: "forward", line: "GET /v1/memories", key: TESTS, headers: [["Authorization", "Bearer else"]] },
  { outcome: "forward", line: "PUT /v1/memories/m_1", key: TESTS, headers: [length(2)], body: "{}" },
  { outcome: "forward", line: "POST /v1/knowledge/search", key: PLATFORM, headers: [length(0)] },
  { outcome: "forward", line: "GET /v1/exports/e_1", key: PLATFORM },
  { outcome: "forward", line: "POST /v1/exports", key: PLATFORM },
  { outcome: "forward", line: "POST /v1/ingest/files", key: PLATFORM, headers: [length(4)], body: "file" },
  { outcome: "forward", line: "DELETE /v1/webhooks/w_1", key: PLATFORM },
  { outcome: "forward", line: "GET /v1/dashboard", key: DASHBOARD },
  { outcome: "usage", line: "GET /v1/dashboard/usage?from=2026-01-01", key: DASHBOARD },
  { outcome: "scope_missing", line: "GET /v1/dashboard/usage", key: TESTS },
  { outcome: "scope_missing", line: "DELETE /v1/memories/m_1", key: TESTS },
  { outcome: "scope_missing", line: "GET /v1/memories", key: DASHBOARD },
  { outcome: "scope_missing", line: "POST /v1/webhooks", key: DASHBOARD },
  { outcome: "route_denied", line: "POST /v1/dashboard/usage", key: PLATFORM },
  { outcome: "route_denied", line: "DELETE /v1/exports/e_1", key: PLATFORM },
  { outcome: "route_denied", line: "GET /", key: PLATFORM },
  { outcome: "key_missing", line: "GET /v1/memories", headers: [["Authorization", `Bearer ${PLATFORM}`]] },
  { outcome: "key_ambiguous", line: "GET /v1/memories", key: PLATFORM, headers: [["x-api-key", TESTS]] },
  { outcome: "key_invalid", line: "GET /v1/memories", key: CHATBOT },
  { outcome: "body_too_large", line: "POST /v1/memories", key: PLATFORM, headers: [length(100 * 2 ** 20)] },
];

describe.for([
  { name: "memory-api", rows: memoryApi, header: "authorization", scheme: "Bearer " },
  { name: "memsolus", rows: memsolus, header: "x-api-key", scheme: "" },
] as const)("$name", ({ name, rows, header, scheme }) => {
  let scene: SystemScene;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    scene = await startSystem(name, name === "memory-api" ? [expired, revoked, early] : []);
    const requestIds: string[] = [];
    const halves: Omit<Outcome, "log">[] = [];
    for (const row of rows) {
      const explained = await explain(name, row, scene.env);
      const { requestId, ...answered } = await send(scene, row, header, scheme);
      requestIds.push(requestId);
      halves.push({ ...explained, ...answered });
    }
    // Stopped, it has written all of its log.
    await scene.gate.stop();
    const lineOf = new Map(scene.gate.log.map((line) => [line["request_id"], line]));
    for (const [i, half] of halves.entries()) {
      outcomes.push({ ...half, log: lineOf.get(requestIds[i] ?? "") ?? {} });
    }
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });

  test.for(rows.map((row, index) => ({ ...row, index })))("$index $line: $outcome", ({ index, outcome }) => {
    const found = outcomes[index];
    if (found === undefined) throw new Error("the request was not sent");
    const { exitCode, explained, status, log, received, body } = found;
    expect(explained.action === "deny" ? explained.code : explained.action).toBe(outcome);
    expect(exitCode).toBe(explained.action === "deny" ? 1 : 0);
    // A forwarded request gets the backend's status, which nobody can know before.
    expect(status).toBe(explained.status ?? 200);
    expect(log).toMatchObject({ status });
    expect(log["reason"]).toBe(explained.code);
    expect(log["route"]).toBe(explained.route);
    expect(log["key_id"]).toBe(explained.key_id);
    if (explained.code !== "credential_in_target") expect(log["path"]).toBe(explained.path);
    if (explained.action === "whoami") expect(JSON.parse(body)).toMatchObject({ key_id: explained.key_id });
    if (explained.action === "forward") expect(arrange(received)).toEqual(arrange(explained.headers?.flat()));
    else expect(received).toBeUndefined();
  });
});

test("at least forty requests are compared", () => {
  expect(memoryApi.length + memsolus.length).toBeGreaterThanOrEqual(40);
});

test.for([
  { row: memoryApi[3], code: 0, says: ["forwarded", "key_acme_chatbot", "X-Org-Id: org_acme"] },
  { row: memoryApi[14], code: 0, says: ["answered by the gate (keys): 501 not_implemented"] },
  { row: memoryApi[16], code: 1, says: ["refused with 401 key_missing"] },
  { row: memoryApi[27], code: 1, says: ["refused with 403 scope_missing", "/v1/memories/**"] },
])("as a command: $row.line ends with $code and says so", async ({ row, code, says }) => {
  if (row === undefined) throw new Error("no such row");
  const args = [launcher, "explain", ...argumentsFor("memory-api", row)];
  const text = await runChild(process.execPath, args);
  for (const part of says) expect(text.stdout).toContain(part);
  expect(text).toMatchObject({ code, stderr: "" });
  // The key is an argument of this test, not of the answer.
  if (row.key !== undefined) expect(text.stdout).not.toContain(row.key);
  const json = await runChild(process.execPath, [...args, "--json"]);
  expect(json.code).toBe(code);
  const inside = await explain("memory-api", row, {});
  expect(JSON.parse(json.stdout)).toEqual(inside.explained);
});

test("a key on standard input is explained like one among the arguments", async () => {
  const args = [launcher, "explain", "--config", configFile("memory-api"), "--path", "/v1/me", "--key", "-"];
  const { stdout, code } = await runChild(process.execPath, args, { input: `${READER}\n` });
  expect(stdout).toContain("key_acme_tests");
  expect(code).toBe(0);
});

/** Host comes first, as the request is sent. */
function headersOf({ headers = [] }: Row): readonly Field[] {
  return [["Host", "gate.example"], ...headers];
}

function splitLine({ line }: Row): [method: string, target: string] {
  const [method = "", target = ""] = line.split(" ");
  return [method, target];
}

function argumentsFor(name: SystemName, row: Row): string[] {
  const [method, target] = splitLine(row);
  return [
    `--config=${configFile(name)}`,
    `--method=${method}`,
    `--path=${target}`,
    ...(row.key === undefined ? [] : ["--key", row.key]),
    ...headersOf(row).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
  ];
}

async function explain(name: SystemName, row: Row, env: Readonly<Record<string, string>>) {
  let output = "";
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      output += String(chunk);
      done();
    },
  });
  const exitCode = await run([...argumentsFor(name, row), "--json"], { stdout, stderr: stdout, env });
  return { exitCode, explained: JSON.parse(output) as Explanation };
}

/** Sends what was explained, byte for byte, and looks at what reached the backend. */
async function send(scene: SystemScene, row: Row, header: string, scheme: string) {
  const [method, target] = splitLine(row);
  const key: readonly Field[] = row.key === undefined ? [] : [[header, scheme + row.key]];
  const fields = [...headersOf(row), ...key].map(([name, value]) => `${name}: ${value}\r\n`);
  await using client = await connectRaw(scene.gate.url);
  client.expect(method);
  client.send(`${method.toUpperCase()} ${target} HTTP/1.1\r\n${fields.join("")}\r\n${row.body ?? ""}`);
  const { status, text, value } = await client.answer().then((answer) => ({
    status: answer.status,
    text: answer.text,
    value: answer.value("x-request-id"),
  }));
  const [arrival] = await scene.arrived();
  return { status, body: text, requestId: value ?? "", received: arrival?.rawHeaders };
}

/**
 * Headers as they are compared: all in their order and spelling, but for the framing. That is
 * written by the HTTP client, which has places of its own for it and says how long no body is.
 */
function arrange(flat: readonly string[] = []) {
  const headers: string[] = [];
  const framing = { host: "", "content-length": "0" };
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [name = "", value = ""] = [flat[i], flat[i + 1]];
    const lower = name.toLowerCase();
    if (lower === "host" || lower === "content-length") framing[lower] = value;
    // The id of a request is its own.
    else if (lower !== "connection") headers.push(name, lower === "x-request-id" ? "" : value);
  }
  return { headers, ...framing };
}
