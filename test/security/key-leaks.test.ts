/**
 * Attack: find a key where it was written down by accident: a log, a metric, an error, a report of
 * a crash, the process list (CWE-532, CWE-528, CWE-214). LEAK-001 and LEAK-009 to LEAK-011 of the
 * wire set.
 */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runChild } from "../support/child.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, launcher, startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { exchangeRaw } from "../support/raw-client.ts";
import { answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";

const BACKEND_TOKEN = "backend-token-0123456789abcdef";

const keys = {
  good: makeKey(),
  other: makeKey(),
  revoked: makeKey({ revoked_at: "2026-01-01T00:00:00Z" }),
  expired: makeKey({ expires_at: "2026-01-01T00:00:00Z" }),
};
const unknown = makeKey();

/** Everything that must never be written down, by what it is. */
const SECRETS: ReadonlyMap<string, string> = new Map([
  ...Object.entries({ ...keys, unknown }).flatMap(([name, { secret, record }]): [string, string][] => [
    [`${name} key`, secret],
    [`${name} key but for its end`, secret.slice(0, -4)],
    [`${name} key in base64`, Buffer.from(secret).toString("base64").slice(0, -4)],
    [`${name} digest`, record.digest.replace("sha256:", "")],
  ]),
  ["backend token", BACKEND_TOKEN],
]);

function found(text: string): readonly string[] {
  return [...SECRETS].filter(([, secret]) => text.includes(secret)).map(([name]) => name);
}

interface Scene {
  readonly gate: GateProcess;
  readonly folder: TempFolder;
}

async function startScene(stack: AsyncDisposableStack, upstreamUrl: string): Promise<Scene> {
  const folder = stack.use(await makeTempFolder());
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl,
    keys: Object.values(keys),
    config: {
      upstreams: {
        default: {
          url: upstreamUrl,
          auth: { header: "authorization", scheme: "Token", value: "${BACKEND_TOKEN}" },
        },
      },
      log: { level: "debug" },
      timeouts: { headers: "500ms" },
    },
  });
  return { folder, gate: stack.use(await startGateProcess(configFile, { env: { BACKEND_TOKEN } })) };
}

/** Every way to put a key into a request, good ones and bad ones. */
function requestsWith(secret: string): readonly string[] {
  const request = (line: string, ...fields: readonly string[]): string =>
    `${[line, "Host: gate.test", ...fields].join("\r\n")}\r\n\r\n`;
  const get = "GET /v1/memories HTTP/1.1";
  return [
    request(get, `X-API-Key: ${secret}`),
    request(get, `Authorization: Bearer ${secret}`, `Referer: https://x/?k=${secret}`, `Cookie: k=${secret}`),
    request(get, `Authorization: Basic ${Buffer.from(`user:${secret}`).toString("base64")}`),
    request(get, `X-API-Key: ${secret}`, `X-API-Key: ${secret}`),
    request(get, `X-API-Key: ${secret}, ${secret}`),
    request(get, `Connection: ${secret}`, `X-API-Key: ${secret}`),
    request(get, `X-${secret}: 1`, `X-API-Key: ${secret}`),
    request(`GET /v1/memories/${secret} HTTP/1.1`),
    request(`GET /v1/memories/${secret} HTTP/1.1`, `X-API-Key: ${secret}`),
    request(`GET /v1/memories?key=${secret} HTTP/1.1`),
    request(`GET /v1/memories?key=${secret} HTTP/1.1`, `X-API-Key: ${secret}`),
    request(`GET /v1/memories?key=${secret.replace("_", "%5f")} HTTP/1.1`, `X-API-Key: ${secret}`),
    request(`GET /${secret} HTTP/1.1`),
    request(`GET /health?${secret} HTTP/1.1`),
    request(`DELETE /v1/memories/1 HTTP/1.1`, `X-API-Key: ${secret}`),
    request(`${secret} /v1/memories HTTP/1.1`),
    request(`GET http://${secret}/v1/memories HTTP/1.1`),
    request(`GET /v1/memories HTTP/${secret}`),
    `GET /v1/memories HTTP/1.1\r\nHost: ${secret}\r\nX-API-Key: ${secret}\r\n\r\n`,
    `GET /v1/memories HTTP/1.1\r\nX-API-Key ${secret}\r\n\r\n`,
    `${secret}\r\n\r\n`,
  ];
}

test("LEAK-001 whatever is sent wherever, no key, no digest and no backend token is written down or sent on", async () => {
  await using stack = new AsyncDisposableStack();
  // An upstream that tells all it got.
  const upstream = stack.use(
    await startRawUpstream({
      onMessage: (message, connection) => {
        if (message.target.endsWith("broken")) connection.send("garbage\r\n\r\n");
        else connection.send(answerOf(200, "ok"));
      },
    }),
  );
  const { gate } = await startScene(stack, upstream.url);
  let answers = "";
  const secrets = [...Object.values(keys), unknown].map(({ secret }) => secret);
  const sent = secrets.flatMap(requestsWith);
  sent.push(`GET /v1/memories/broken HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${keys.good.secret}\r\n\r\n`);
  for (let i = 0; i < sent.length; i += 10) {
    const batch = sent.slice(i, i + 10).map((bytes) => exchangeRaw(gate.url, bytes, { quietMs: 30 }));
    for (const { received } of await Promise.all(batch)) answers += received;
  }
  const pages = ["/metrics", "/readyz", "/livez", "/version"].map((path) => ask(`${gate.opsUrl}${path}`));
  const operations = (await Promise.all(pages)).map(({ text }) => text).join("\n");
  await gate.stop();

  expect(gate.log.filter(({ msg }) => msg === "request").length).toBeGreaterThan(sent.length / 2);
  expect(found(gate.output)).toEqual([]);
  expect(found(operations)).toEqual([]);
  expect(found(answers)).toEqual([]);
  const forwarded = upstream.connections.map(({ received }) => received).join("");
  expect(forwarded).toContain("X-Org-Id");
  expect(found(forwarded).filter((name) => name !== "backend token")).toEqual([]);
});

test("LEAK-009 metrics name routes, never paths; the numbers of one tenant stand under its key's id alone", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startRawUpstream(answerOf(200, "ok")));
  const { gate } = await startScene(stack, upstream.url);
  for (const path of [
    "/v1/memories/private-id-1",
    "/v1/memories/private-id-2?q=private",
    "/nowhere/private-id-3",
  ]) {
    await ask(`${gate.url}${path}`, { key: keys.good.secret });
  }
  const { text } = await ask(`${gate.opsUrl}/metrics`);
  expect(text).not.toContain("private");
  expect(text).toContain('route="/v1/memories/**"');
  expect(found(text)).toEqual([]);
});

describe.skipIf(process.platform !== "linux")("what the system shows of the process", () => {
  test("LEAK-011 no secret stands on the command line or in the title", async () => {
    await using stack = new AsyncDisposableStack();
    const upstream = stack.use(await startRawUpstream(answerOf(200, "ok")));
    const { gate } = await startScene(stack, upstream.url);
    await ask(`${gate.url}/v1/memories`, { key: keys.good.secret });
    for (const file of ["cmdline", "comm", "stat"]) {
      expect(found(readFileSync(`/proc/${gate.child.pid}/${file}`, "latin1")), file).toEqual([]);
    }
  });

  test("LEAK-010 a crash leaves no report: neither of itself nor by signal", async () => {
    await using stack = new AsyncDisposableStack();
    const upstream = stack.use(await startRawUpstream(answerOf(200, "ok")));
    const { gate, folder } = await startScene(stack, upstream.url);
    const files = (): readonly string[] =>
      [...readdirSync(folder.path), ...readdirSync(process.cwd())].toSorted();
    const before = files();
    await ask(`${gate.url}/v1/memories`, { key: keys.good.secret });
    gate.child.kill("SIGUSR2");
    gate.child.kill("SIGABRT");
    await gate.child.ended();
    expect(files()).toEqual(before);
    expect(found(gate.output)).toEqual([]);
  });
});

test("`keyward check` names a bad key file's place, not what stands there", async () => {
  await using folder = await makeTempFolder();
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:9",
    keys: [keys.good],
  });
  const record = `keys:\n  - id: key_1\n    secret: ${unknown.secret}!\n    organization: { id: org_a }\n`;
  await folder.write("keys.yaml", record);
  const checked = await runChild(process.execPath, [launcher, "check", "--config", configFile]);
  expect(checked.code).toBe(78);
  expect(found(checked.stdout + checked.stderr)).toEqual([]);
});
