/** What a gateway checks before it looks at the resource: loops, hosts, WebSockets, preflights, sizes, addresses. */
import { afterEach, describe, expect, test } from "vitest";
import { Preflight } from "../../../src/gate/decide.ts";
import { makeKey } from "../../support/fixtures.ts";
import { type ConfigChange, GateScene, type RequestFields } from "../../support/gate-scene.ts";

const key = makeKey();
const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

function sceneWith(config: ConfigChange = {}): GateScene {
  const scene = new GateScene({ keys: [key], config });
  scenes.push(scene);
  return scene;
}

/** With a good key. */
function codeFor(fields: RequestFields, config: ConfigChange = {}): string {
  return sceneWith(config).code({ ...fields, headers: ["X-Api-Key", key.secret, ...(fields.headers ?? [])] });
}

describe("a request that has been here before is a loop (RFC 9110 section 7.6.3)", () => {
  test.for([
    "1.1 keyward",
    "1.1 KeyWard",
    "HTTP/1.1 keyward",
    "1.0 fred, 1.1 keyward",
    "1.1 keyward, 1.1 other",
    "1.1 keyward,1.1 other",
    "1.1\tkeyward",
    "1.1 keyward (comment)",
    "1.1 keyward(comment)",
    "keyward",
    ",keyward,",
  ])("%s", (via) => {
    expect(codeFor({ headers: ["Via", via] })).toBe("loop_detected");
  });

  test("found in whichever Via line", () => {
    expect(codeFor({ headers: ["Via", "1.0 fred", "Via", "1.1 keyward"] })).toBe("loop_detected");
  });

  test.for([
    "1.0 fred",
    "1.1 keyward2",
    "1.1 my-keyward",
    "1.1 keyward.test",
    "1.1 keyward:80",
    "1.1 x (keyward)",
    "",
  ])("%s is somebody else", (via) => {
    expect(codeFor({ headers: ["Via", via] })).toBe("admitted");
  });

  test("a name with a dot is taken literally", () => {
    expect(codeFor({ headers: ["Via", "1.1 gate.1"] }, { via: "gate.1" })).toBe("loop_detected");
    expect(codeFor({ headers: ["Via", "1.1 gatex1"] }, { via: "gate.1" })).toBe("admitted");
    expect(codeFor({ headers: ["Via", "1.1 keyward"] }, { via: "gate.1" })).toBe("admitted");
  });
});

describe("an absolute target names the host that Host names", () => {
  test.for<[target: string, host: string | null, code: string]>([
    ["http://gate.test/v1/memories", "gate.test", "admitted"],
    ["http://GATE.test/v1/memories", "gate.TEST", "admitted"],
    ["http://gate.test:80/v1/memories", "gate.test:80", "admitted"],
    ["http://evil.test/v1/memories", "gate.test", "host_invalid"],
    ["http://gate.test:81/v1/memories", "gate.test", "host_invalid"],
    ["http://gate.test.evil/v1/memories", "gate.test", "host_invalid"],
    ["http:///v1/memories", "gate.test", "host_invalid"],
    ["/v1/memories", "gate.test", "admitted"],
  ])("%s with %s: %s", ([target, host, code]) => {
    expect(codeFor({ target, host })).toBe(code);
  });

  test("also where HTTP/1.0 allows to name none", () => {
    const fields = { target: "http://gate.test/v1/memories", host: null, httpVersion: "1.0" };
    const decision = sceneWith().decide({ ...fields, headers: ["X-Api-Key", key.secret] });
    expect(decision).toMatchObject({ code: "host_invalid", note: "target names another host than Host" });
    const nameless = sceneWith().decide({ ...fields, target: "http:///v1/memories" });
    expect(nameless).toMatchObject({ code: "host_invalid", note: "target names no host" });
  });
});

describe("Max-Forwards (RFC 9110 section 7.6.2)", () => {
  test("an OPTIONS request with none left goes no further", () => {
    const headers = ["Max-Forwards", "0"];
    expect(codeFor({ target: "/open/x", method: "OPTIONS", headers })).toBe("preflight");
    expect(codeFor({ target: "/health", method: "OPTIONS", headers })).toBe("preflight");
    expect(sceneWith().code({ target: "/open/x", method: "OPTIONS", headers })).toBe("key_missing");
    expect(codeFor({ target: "/nowhere", method: "OPTIONS", headers })).toBe("route_denied");
    expect(codeFor({ target: "/open/x", headers })).toBe("admitted");
    expect(codeFor({ target: "/open/x", method: "OPTIONS", headers: ["Max-Forwards", "1"] })).toBe(
      "admitted",
    );
    expect(codeFor({ target: "/open/x", method: "OPTIONS" })).toBe("admitted");
  });
});

describe("a WebSocket handshake (RFC 6455 section 4.2.1)", () => {
  const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
  const upgrade = ["Connection", "Upgrade", "Upgrade", "websocket"];
  const handshake = [...upgrade, "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", KEY];

  test("that is right is admitted as such", () => {
    const admitted = sceneWith().admit({ headers: ["X-Api-Key", key.secret, ...handshake] });
    expect(admitted.head.isWebSocket).toBe(true);
  });

  test("needs a key like any other request", () => {
    expect(sceneWith().code({ headers: handshake })).toBe("key_missing");
  });

  test.for<[what: string, fields: RequestFields]>([
    ["with another method", { method: "POST", headers: handshake }],
    ["with HTTP/1.0", { httpVersion: "1.0", headers: handshake }],
    ["with a body by length", { headers: [...handshake, "Content-Length", "5"] }],
    ["with an empty body by length", { headers: [...handshake, "Content-Length", "0"] }],
    ["with a body in chunks", { headers: [...handshake, "Transfer-Encoding", "chunked"] }],
  ])("%s is refused", ([, fields]) => {
    expect(codeFor(fields)).toBe("upgrade_invalid");
  });

  test.for<[what: string, headers: string[]]>([
    ["without one", []],
    ["that is too old", ["Sec-WebSocket-Version", "8"]],
    ["that is padded", ["Sec-WebSocket-Version", "013"]],
    ["that is a list", ["Sec-WebSocket-Version", "13, 8"]],
    ["that is said twice", ["Sec-WebSocket-Version", "13", "Sec-WebSocket-Version", "13"]],
  ])("of a version %s is refused", ([, headers]) => {
    expect(codeFor({ headers: [...upgrade, "Sec-WebSocket-Key", KEY, ...headers] })).toBe(
      "websocket_version",
    );
  });

  test.for<[what: string, headers: string[]]>([
    ["without one", []],
    ["that is empty", ["Sec-WebSocket-Key", ""]],
    ["that is too short", ["Sec-WebSocket-Key", KEY.slice(1)]],
    ["that is too long", ["Sec-WebSocket-Key", `a${KEY}`]],
    ["that goes on", ["Sec-WebSocket-Key", `${KEY}a`]],
    ["of another alphabet", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j-_=="]],
    ["without padding", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQab"]],
    ["that is said twice", ["Sec-WebSocket-Key", KEY, "Sec-WebSocket-Key", KEY]],
  ])("with a key %s is refused", ([, headers]) => {
    const fields = {
      headers: ["X-Api-Key", key.secret, ...upgrade, "Sec-WebSocket-Version", "13", ...headers],
    };
    expect(sceneWith().decide(fields)).toMatchObject({ code: "upgrade_invalid", note: "Sec-WebSocket-Key" });
  });

  test("every character of base64 may stand in its key", () => {
    const headers = [...upgrade, "Sec-WebSocket-Version", "13"];
    for (const nonce of ["ABCXYZabcxyz0189+/+/AZ==", "0000000000000000000000=="]) {
      expect(codeFor({ headers: [...headers, "Sec-WebSocket-Key", nonce] }), nonce).toBe("admitted");
    }
  });

  test.for([
    ["Upgrade", "h2c", "Connection", "Upgrade"],
    ["Upgrade", "h2c, websocket", "Connection", "Upgrade"],
    ["Upgrade", "websocket"],
  ])("anything else that asks for an upgrade is an ordinary request: %s %s", (headers) => {
    expect(codeFor({ headers })).toBe("admitted");
  });
});

describe("a CORS preflight", () => {
  const cors: ConfigChange = { cors: { origins: ["https://app.test"] } };
  const preflight = {
    method: "OPTIONS",
    headers: ["Origin", "https://app.test", "access-control-REQUEST-method", "PUT"],
  };

  test("is answered without a key, on whatever path, when CORS is configured", () => {
    for (const target of ["/v1/memories", "/nowhere", "/health"]) {
      const decision = sceneWith(cors).decide({ ...preflight, target });
      expect(decision).toBeInstanceOf(Preflight);
      expect(decision).toMatchObject({ head: { origin: "https://app.test" } });
    }
  });

  test("is a request like any other when it is not", () => {
    expect(sceneWith().code(preflight)).toBe("key_missing");
  });

  test.for<[what: string, fields: RequestFields]>([
    ["another method", { ...preflight, method: "GET" }],
    ["no Origin", { ...preflight, headers: preflight.headers.slice(2) }],
    ["no requested method", { ...preflight, headers: preflight.headers.slice(0, 2) }],
    [
      "the name as a value",
      { ...preflight, headers: ["Origin", "a", "X-A", "Access-Control-Request-Method"] },
    ],
  ])("is none with %s", ([, fields]) => {
    expect(sceneWith(cors).code(fields)).toBe("key_missing");
  });

  test("is no way past framing, target or loop", () => {
    const scene = sceneWith(cors);
    expect(scene.code({ ...preflight, target: "/a/../b" })).toBe("target_ambiguous");
    expect(scene.code({ ...preflight, host: "a b" })).toBe("host_invalid");
    expect(scene.code({ ...preflight, headers: [...preflight.headers, "Via", "1.1 keyward"] })).toBe(
      "loop_detected",
    );
  });
});

describe("the size of a body", () => {
  const config: ConfigChange = {
    bounds: { body: "100" },
    routes: [{ path: "/big", max_body: "1KiB" }, { path: "/small" }, { path: "/none", max_body: "0" }],
  };

  test.for<[target: string, length: string, code: string]>([
    ["/small", "100", "admitted"],
    ["/small", "101", "body_too_large"],
    ["/big", "1024", "admitted"],
    ["/big", "1025", "body_too_large"],
    ["/none", "0", "admitted"],
    ["/none", "1", "body_too_large"],
  ])("%s takes a declared length of %s: %s", ([target, length, code]) => {
    expect(codeFor({ method: "POST", target, headers: ["Content-Length", length] }, config)).toBe(code);
  });

  test("is counted later where it is not declared", () => {
    expect(
      codeFor({ method: "POST", target: "/none", headers: ["Transfer-Encoding", "chunked"] }, config),
    ).toBe("admitted");
    expect(codeFor({ target: "/none" }, config)).toBe("admitted");
  });

  test("is told to nobody who is not known", () => {
    const fields = { method: "POST", target: "/small", headers: ["Content-Length", "101"] };
    expect(sceneWith(config).code(fields)).toBe("key_missing");
  });
});

describe("the client's address", () => {
  const guarded: ConfigChange = { routes: [{ path: "/in", networks: ["192.0.2.0/24", "2001:db8::/32"] }] };
  const behindProxy: ConfigChange = { ...guarded, trusted_proxies: ["10.0.0.1"] };
  const from = (address: string): RequestFields => ({ target: "/in", headers: ["X-Forwarded-For", address] });

  test.for<[peer: string, code: string]>([
    ["192.0.2.9", "admitted"],
    ["::ffff:192.0.2.9", "admitted"],
    ["2001:db8::1", "admitted"],
    ["198.51.100.1", "network_denied"],
    ["", "network_denied"],
  ])("%s: %s", ([peer, code]) => {
    expect(codeFor({ target: "/in", peer }, guarded)).toBe(code);
  });

  test("is what a trusted proxy says, and only a trusted one", () => {
    expect(codeFor({ ...from("192.0.2.9"), peer: "10.0.0.1" }, behindProxy)).toBe("admitted");
    expect(codeFor({ ...from("192.0.2.9"), peer: "10.0.0.2" }, behindProxy)).toBe("network_denied");
    expect(codeFor({ ...from("192.0.2.9"), peer: "10.0.0.1" }, guarded)).toBe("network_denied");
    expect(codeFor({ ...from("192.0.2.9, 198.51.100.1"), peer: "10.0.0.1" }, behindProxy)).toBe(
      "network_denied",
    );
    expect(codeFor({ ...from("unknown"), peer: "10.0.0.1" }, behindProxy)).toBe("network_denied");
  });
});
