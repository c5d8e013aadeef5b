import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { AccessLog } from "../../../src/observe/access-log.ts";
import { LogDestination } from "../../../src/observe/log-destination.ts";
import { type ExchangeFields, makeCountedKey, observe } from "../../support/exchanges.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const key = makeCountedKey(new KeyCounterTable(1), "key_1");

/** The raw log after these exchanges. */
async function logOf(...exchanges: ExchangeFields[]): Promise<string> {
  await using folder = await makeTempFolder();
  const destination = new LogDestination(folder.file("access.jsonl"));
  const accessLog = new AccessLog(destination, new ManualClock(Date.parse("2026-11-21T10:00:00.042Z")));
  for (const fields of exchanges) observe(accessLog, fields);
  await destination.close();
  return await readFile(folder.file("access.jsonl"), "utf8");
}

async function lineOf(fields: ExchangeFields): Promise<Record<string, unknown>> {
  return JSON.parse(await logOf(fields)) as Record<string, unknown>;
}

describe("access log", () => {
  test("an admitted request is one flat line of exactly these fields", async () => {
    const line = await logOf({
      id: "req_77",
      method: "POST",
      remoteAddress: "2001:db8::7",
      path: "/v1/memories",
      route: "POST /v1/memories/**",
      key,
      status: 201,
      bytesIn: 512,
      bytesOut: 64,
      durationMs: 12.345678,
      upstreamMs: 10.5,
      upstream: "default",
    });
    expect(line).toBe(
      '{"level":"info","time":"2026-11-21T10:00:00.042Z","method":"POST","path":"/v1/memories",' +
        '"route":"POST /v1/memories/**","status":201,"key_id":"key_1","organization":"org_acme",' +
        '"project":"proj_tech","environment":"live","bytes_in":512,"bytes_out":64,"duration_ms":12.346,' +
        '"upstream_ms":10.5,"request_id":"req_77","client_ip":"2001:db8::7","msg":"request"}\n',
    );
  });

  test("a refused request has its reason and the operator's note", async () => {
    const line = await lineOf({
      status: 403,
      denial: "scope_missing",
      note: "needs write",
      route: "add",
      key,
    });
    expect(line).toMatchObject({
      status: 403,
      reason: "scope_missing",
      note: "needs write",
      key_id: "key_1",
    });
  });

  test("what did not happen is absent", async () => {
    const line = await lineOf({ path: undefined, route: undefined, status: 400, denial: "target_invalid" });
    const absent = [
      "path",
      "route",
      "key_id",
      "organization",
      "project",
      "environment",
      "upstream_ms",
      "aborted",
      "upgraded",
      "note",
    ];
    for (const field of absent) expect(line).not.toHaveProperty(field);
  });

  test("an aborted stream, a tunnel and a failed upstream say so", async () => {
    expect(await lineOf({ aborted: true, upstreamError: "reset" })).toMatchObject({
      aborted: true,
      upstream_error: "reset",
    });
    expect(await lineOf({ upgraded: true, status: 101 })).toMatchObject({ upgraded: true, status: 101 });
  });

  test("no text of the client can begin a line, or rewrite the terminal that shows it", async () => {
    const hostile =
      '/a\r\n{"level":"info","msg":"request","status":200}\u001b[2J\u009b2J\u2028\u202e\u007f"\\';
    const text = await logOf({ path: hostile, note: hostile });
    expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(JSON.parse(text)).toMatchObject({
      status: 200,
      note: expect.stringContaining("/a\r\n{") as string,
    });
  });

  test("a very long path or note costs a bounded line", async () => {
    const text = await logOf({ path: `/${"p".repeat(1e6)}`, note: "n".repeat(1e6) });
    expect(text.length).toBeLessThan(4096);
  });

  test("the path is left out where it holds the key", async () => {
    const secret = "mem_live_0123456789abcdef0123456789abcdef";
    const text = await logOf({ path: `/v1/${secret}`, status: 400, denial: "credential_in_target" });
    expect(text).not.toContain(secret);
    expect(text).toContain('"reason":"credential_in_target"');
  });

  test("nothing of a key but its ids is in a line", async () => {
    const rich = {
      ...key,
      name: "SECRET-name",
      organization: { id: "org_acme", name: "SECRET-organization" },
      scopes: ["SECRET-scope"],
      folders: ["SECRET-folder"],
      identityHeaders: ["X-Key", "SECRET-header"],
    };
    const text = await logOf(
      { key: rich },
      { key: rich, status: 403, denial: "scope_missing" },
      { key: rich, aborted: true },
    );
    expect(text.split("\n")).toHaveLength(4);
    expect(text).not.toContain("SECRET");
    expect(text).not.toContain(rich.digest);
  });
});
