/** The gate's own answers, before they meet a socket. */
import { describe, expect, test } from "vitest";
import { type ErrorPolicy, renderDenial } from "../../../src/errors/bodies.ts";
import { denialCodes } from "../../../src/errors/catalogue.ts";
import { Denial } from "../../../src/errors/denial.ts";
import { Replies, renderRaw } from "../../../src/gate/reply.ts";
import { NOW_MS, pairsOf, valuesOf } from "../../support/gate-scene.ts";

const POLICY: ErrorPolicy = {
  format: "problem",
  reveals: false,
  realm: "keyward",
  scheme: "Bearer",
  messages: new Map(),
};
const replies = new Replies(POLICY);

function headersOf(denial: Denial, extra: readonly string[] = []): readonly string[] {
  return replies.answer(denial, extra).headers;
}

test("every refusal is answered with its rendered body, its length, and no cache may keep it", () => {
  for (const code of denialCodes) {
    const answer = replies.answer(new Denial(code), []);
    const rendered = renderDenial(code, POLICY);
    expect(answer, code).toMatchObject({
      status: rendered.status,
      body: rendered.body,
      closes: rendered.closes,
    });
    expect(valuesOf(answer.headers, "Content-Type")).toEqual(["application/problem+json"]);
    expect(valuesOf(answer.headers, "Content-Length")).toEqual([String(answer.body.length)]);
    expect(valuesOf(answer.headers, "Cache-Control")).toEqual(["no-store"]);
    expect(valuesOf(answer.headers, "X-Content-Type-Options")).toEqual(["nosniff"]);
    expect(valuesOf(answer.headers, "WWW-Authenticate")).toEqual(
      rendered.challenge === undefined ? [] : [rendered.challenge],
    );
  }
});

test("what the operator is told, the client is not", () => {
  const answer = replies.answer(new Denial("key_invalid", { note: "unknown key" }), []);
  expect(`${answer.headers.join("\n")}${answer.body.toString()}`).not.toContain("unknown key");
});

test("further headers stand in it, each once", () => {
  const headers = headersOf(new Denial("key_missing"), ["X-Request-Id", "req-1", "Vary", "Origin"]);
  expect(valuesOf(headers, "X-Request-Id")).toEqual(["req-1"]);
  expect(valuesOf(headers, "Vary")).toEqual(["Origin"]);
  const names = pairsOf(headers).map(([name]) => name);
  expect(new Set(names).size).toBe(names.length);
});

describe("the scope attribute (RFC 6750 section 3.1)", () => {
  const challengeFor = (denial: Denial): string | undefined =>
    valuesOf(headersOf(denial), "WWW-Authenticate")[0];

  test("names what would have been needed", () => {
    const challenge = challengeFor(new Denial("scope_missing", { scopes: ["memory:read", "write"] }));
    expect(challenge).toBe(
      `${renderDenial("scope_missing", POLICY).challenge ?? ""}, scope="memory:read write"`,
    );
  });

  test("is absent where nothing is known", () => {
    for (const denial of [new Denial("scope_missing"), new Denial("scope_missing", { scopes: [] })]) {
      expect(challengeFor(denial)).toBe(renderDenial("scope_missing", POLICY).challenge);
    }
  });

  test("never makes a challenge of its own", () => {
    expect(challengeFor(new Denial("route_denied", { scopes: ["read"] }))).toBeUndefined();
  });
});

describe("Retry-After", () => {
  test("goes with every 503, at one second unless the refusal knows better", () => {
    for (const code of denialCodes) {
      const is503 = renderDenial(code, POLICY).status === 503;
      expect(valuesOf(headersOf(new Denial(code)), "Retry-After"), code).toEqual(is503 ? ["1"] : []);
    }
    const known = new Denial("registry_unavailable", { retryAfterSeconds: 7 });
    expect(valuesOf(headersOf(known), "Retry-After")).toEqual(["7"]);
  });

  test("goes with any refusal that names a time, zero included", () => {
    const soon = new Denial("upstream_failed", { retryAfterSeconds: 0 });
    expect(valuesOf(headersOf(soon), "Retry-After")).toEqual(["0"]);
  });
});

test("a wrong WebSocket version is told the right one (RFC 6455 section 4.4)", () => {
  const headers = headersOf(new Denial("websocket_version"));
  expect(valuesOf(headers, "Sec-WebSocket-Version")).toEqual(["13"]);
  expect(valuesOf(headers, "Upgrade")).toEqual(["websocket"]);
  expect(valuesOf(headersOf(new Denial("upgrade_invalid")), "Sec-WebSocket-Version")).toEqual([]);
});

test("on a raw socket the same answer is one message that ends the connection", () => {
  const answer = replies.answer(new Denial("key_missing"), ["X-Request-Id", "req-1"]);
  const [head = "", body] = renderRaw(answer, "Unauthorized", NOW_MS).toString("latin1").split("\r\n\r\n");
  const [status, ...lines] = head.split("\r\n");
  expect(status).toBe("HTTP/1.1 401 Unauthorized");
  expect(lines).toEqual(
    expect.arrayContaining([
      "Connection: close",
      "X-Request-Id: req-1",
      "Date: Thu, 01 Jan 2026 00:00:00 GMT",
    ]),
  );
  expect(lines).toContain(`Content-Length: ${body?.length}`);
  expect(body).toBe(answer.body.toString("latin1"));
});
