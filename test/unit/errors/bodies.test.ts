import { describe, expect, test } from "vitest";
import { type BodyFormat, type ErrorPolicy, publicCode, renderDenial } from "../../../src/errors/bodies.ts";
import { type DenialCode, denialCodes, denialKinds } from "../../../src/errors/catalogue.ts";

function policy(change: Partial<ErrorPolicy> = {}): ErrorPolicy {
  return {
    format: "problem",
    reveals: false,
    realm: "keyward",
    scheme: "Bearer",
    messages: new Map(),
    ...change,
  };
}

function bodyOf(code: DenialCode, change: Partial<ErrorPolicy> = {}): unknown {
  return JSON.parse(renderDenial(code, policy(change)).body.toString("utf8"));
}

const CONCEALED: readonly DenialCode[] = ["key_revoked", "key_expired", "key_not_yet_valid"];

describe("the body", () => {
  test("is a problem (RFC 9457)", () => {
    const rendered = renderDenial("scope_missing", policy());
    expect(rendered).toMatchObject({ status: 403, contentType: "application/problem+json" });
    expect(bodyOf("scope_missing")).toEqual({
      type: "about:blank",
      status: 403,
      code: "scope_missing",
      title: "Forbidden",
      detail: "The API key lacks a scope that this call needs.",
    });
  });

  test.for<[format: BodyFormat, body: unknown]>([
    ["detail", { detail: "The API key is not valid." }],
    ["error", { error: "The API key is not valid." }],
    [
      { template: { error: { code: "{{code}}", status: "{{status}}", message: "{{title}}: {{detail}}" } } },
      { error: { code: "key_invalid", status: 401, message: "Unauthorized: The API key is not valid." } },
    ],
    [
      {
        template: { text: "HTTP {{status}} {{status}}", list: ["{{code}}", 1, null, [true, "x{{title}}y"]] },
      },
      { text: "HTTP 401 401", list: ["key_invalid", 1, null, [true, "xUnauthorizedy"]] },
    ],
    [
      { template: { "{{code}}": "{{unknown}} {{ code }} {code}" } },
      { "{{code}}": "{{unknown}} {{ code }} {code}" },
    ],
    [
      { template: { success: false, data: null, count: 0, nested: {} } },
      { success: false, data: null, count: 0, nested: {} },
    ],
  ])("follows the format %j", ([format, body]) => {
    expect(bodyOf("key_invalid", { format })).toEqual(body);
    expect(renderDenial("key_invalid", policy({ format })).contentType).toBe("application/json");
  });

  test("is JSON on one line, in every format and for every refusal; only our own ends with a newline", () => {
    for (const format of ["problem", "detail", "error", { template: { a: "{{detail}}" } }] as const) {
      for (const code of denialCodes) {
        const text = renderDenial(code, policy({ format })).body.toString("utf8");
        expect(text, code).toMatch(format === "problem" ? /^\{.*\}\n$/ : /^\{.*\}$/);
        expect(() => JSON.parse(text) as unknown, code).not.toThrow();
      }
    }
  });

  test("has an own text where the config has one, whatever characters it holds", () => {
    const text = 'Kein "Schlüssel" $& \\ {{code}}';
    const messages = new Map<DenialCode, string>([["key_invalid", text]]);
    expect(bodyOf("key_invalid", { format: "detail", messages })).toEqual({ detail: text });
    expect(bodyOf("key_missing", { format: "detail", messages })).toEqual({
      detail: "An API key is required.",
    });
    const template = { a: "{{detail}}!" };
    expect(bodyOf("key_invalid", { format: { template }, messages })).toEqual({ a: `${text}!` });
  });
});

describe("whether a key was once good is nobody's business", () => {
  test.for(CONCEALED)("%s looks like an unknown key, in every byte", (code) => {
    for (const format of [
      "problem",
      "detail",
      { template: { code: "{{code}}", text: "{{detail}}" } },
    ] as const) {
      const messages = new Map<DenialCode, string>([
        [code, "This key was good once."],
        ["key_invalid", "No."],
      ]);
      const shown = policy({ format, messages });
      expect(publicCode(code, shown)).toBe("key_invalid");
      expect(renderDenial(code, shown)).toEqual(renderDenial("key_invalid", shown));
    }
  });

  test.for(CONCEALED)("%s is told when the operator wants it told", (code) => {
    expect(publicCode(code, policy({ reveals: true }))).toBe(code);
    expect(bodyOf(code, { reveals: true })).toMatchObject({ code, detail: denialKinds[code].detail });
    const messages = new Map<DenialCode, string>([[code, "Over."]]);
    expect(bodyOf(code, { reveals: true, format: "error", messages })).toEqual({ error: "Over." });
  });

  test("no other refusal is disguised", () => {
    for (const code of denialCodes.filter((code) => !CONCEALED.includes(code))) {
      expect(publicCode(code, policy())).toBe(code);
      expect(bodyOf(code)).toMatchObject({ code, status: denialKinds[code].status });
    }
  });

  test("a stage does not show through its status", () => {
    for (const code of ["key_invalid", ...CONCEALED] as const) {
      expect(renderDenial(code, policy({ reveals: true })).status).toBe(401);
    }
  });
});

describe("the challenge (RFC 6750 section 3)", () => {
  const challengeOf = (code: DenialCode, change: Partial<ErrorPolicy> = {}): string | undefined =>
    renderDenial(code, policy(change)).challenge;

  test("names no error where no credential was sent", () => {
    expect(challengeOf("key_missing")).toBe('Bearer realm="keyward"');
  });

  test("speaks of the scheme that the gate accepts", () => {
    expect(challengeOf("key_missing", { scheme: "ApiKey", realm: "" })).toBe('ApiKey realm=""');
    expect(challengeOf("key_invalid", { scheme: "Token" })).toMatch(/^Token realm="keyward", error=/);
  });

  test("names the error where one was", () => {
    expect(challengeOf("key_invalid")).toBe(
      'Bearer realm="keyward", error="invalid_token", error_description="The API key is not valid."',
    );
    expect(challengeOf("key_ambiguous")).toContain('error="invalid_token"');
    expect(challengeOf("scope_missing", { realm: "memory" })).toBe(
      'Bearer realm="memory", error="insufficient_scope", error_description="The API key lacks a scope that this call needs."',
    );
  });

  test("goes with every 401 and with a missing scope, and with nothing else", () => {
    for (const code of denialCodes) {
      const isDue = denialKinds[code].status === 401 || code === "scope_missing";
      expect(challengeOf(code) !== undefined, code).toBe(isDue);
    }
  });

  test("holds only characters that a quoted string and a header may hold", () => {
    const messages = new Map<DenialCode, string>([
      ["key_invalid", 'a"b\\c\r\nX-Evil: 1\u0000\u007f\u0085\u00fc\u4e00~ !#[]'],
    ]);
    expect(challengeOf("key_invalid", { messages })).toBe(
      'Bearer realm="keyward", error="invalid_token", error_description="a b c  X-Evil: 1     ~ !#[]"',
    );
  });
});

test("a refusal that leaves framing in doubt closes the connection; one that does not, does not", () => {
  const closing = denialCodes.filter((code) => renderDenial(code, policy()).closes);
  expect(closing).toEqual([
    "framing_invalid",
    "host_invalid",
    "connection_invalid",
    "upgrade_invalid",
    "transfer_coding_unsupported",
    "version_unsupported",
    "target_too_long",
    "headers_too_large",
    "body_too_large",
    "request_timeout",
  ]);
});
