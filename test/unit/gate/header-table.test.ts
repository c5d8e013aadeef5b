import { describe, expect, test } from "vitest";
import { type HeaderKind, HeaderTable } from "../../../src/gate/header-table.ts";

const OPTIONS = {
  credentials: ["authorization", "X-Memory-Key"],
  identity: ["X-Org-Id", "X-Tenant-Id"],
  owned: ["X-Backend-Token"],
  remove: ["X-Debug"],
  keep: [],
};

function table(change: Partial<ConstructorParameters<typeof HeaderTable>[0]> = {}): HeaderTable {
  return new HeaderTable({ ...OPTIONS, ...change });
}

function kindOf(name: string, change: Parameters<typeof table>[0] = {}): HeaderKind {
  return table(change).rule(name).kind;
}

describe("what a name means, in any case", () => {
  test.for<[name: string, kind: HeaderKind]>([
    ["host", "host"],
    ["content-length", "content-length"],
    ["transfer-encoding", "transfer-encoding"],
    ["connection", "connection"],
    ["upgrade", "upgrade"],
    ["expect", "expect"],
    ["origin", "origin"],
    ["via", "via"],
    ["max-forwards", "max-forwards"],
    ["x-forwarded-for", "forwarded-for"],
    ["x-forwarded-proto", "forwarded-proto"],
    ["x-forwarded-host", "forwarded-host"],
    ["sec-websocket-key", "websocket-key"],
    ["sec-websocket-version", "websocket-version"],
  ])("%s frames or routes the message", ([name, kind]) => {
    expect(kindOf(name)).toBe(kind);
    expect(kindOf(name.toUpperCase())).toBe(kind);
  });

  test.for([
    "close",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "http2-settings",
  ])("%s is for this hop and goes no further", (name) => {
    expect(kindOf(name)).toBe("drop");
    expect(kindOf(name.toUpperCase())).toBe("drop");
  });

  test.for([
    "x-api-key",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-original-method",
    "x-original-host",
    "x-rewrite-url",
    "x-request-uri",
    "x-host",
    "x-middleware-subrequest",
    "proxy",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-appengine-user-ip",
    "x-override-url",
    "x-rewrite-uri",
    "x-request-url",
    "x-forwarded",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-",
    "x-envoy-original-path",
    "x-envoy-",
    "X-Debug",
  ])("%s would override what was decided and is dropped", (name) => {
    expect(kindOf(name)).toBe("drop");
    expect(kindOf(name.toUpperCase())).toBe("drop");
  });

  test("authorization is dropped also where no credential stands in it", () => {
    expect(kindOf("Authorization", { credentials: ["x-memory-key"] })).toBe("drop");
  });

  test.for([
    "x-org-id",
    "x-organization-id",
    "x-project-id",
    "x-environment",
    "x-key-id",
    "x-folder-ids",
    "x-scope",
    "x-scopes",
    "x-request-id",
    "X-Tenant-Id",
    "X-Backend-Token",
  ])("%s is the gate's alone", (name) => {
    expect(kindOf(name)).toBe("owned");
    expect(kindOf(name.toUpperCase())).toBe("owned");
  });

  test("the identity namespace is the gate's also where the config switched it off", () => {
    expect(kindOf("X-Org-Id", { identity: [] })).toBe("owned");
  });

  test.for(["accept", "cookie", "content-type", "x-foo", "x-forward", "x-environment-x", "a.b", ""])(
    "%s is nobody's business and passes",
    (name) => {
      expect(kindOf(name)).toBe("pass");
    },
  );
});

describe("a rule", () => {
  test("of a credential says which place it is", () => {
    expect(table().rule("AUTHORIZATION")).toEqual({ kind: "credential", name: "authorization", place: 0 });
    expect(table().rule("x-memory-key")).toEqual({ kind: "credential", name: "x-memory-key", place: 1 });
  });

  test("of anything else has no place, and the name in lower case", () => {
    expect(table().rule("X-Org-Id")).toEqual({ kind: "owned", name: "x-org-id", place: -1 });
    expect(table().rule("TE")).toEqual({ kind: "drop", name: "te", place: -1 });
    expect(table().rule("X-Envoy-A")).toEqual({ kind: "drop", name: "x-envoy-a", place: -1 });
    expect(table().rule("X-Foo")).toEqual({ kind: "pass", name: "x-foo", place: -1 });
    expect(table().rule("X_Org_Id")).toEqual({ kind: "drop", name: "x_org_id", place: -1 });
  });
});

describe("an alias that CGI and WSGI servers read as the same name is dropped", () => {
  test.for([
    "x_org_id",
    "X_Org-Id",
    "X-Org_Id",
    "x_tenant_id",
    "x_backend_token",
    "x_request_id",
    "x_memory_key",
    "x_api_key",
    "x_debug",
    "content_length",
    "transfer_encoding",
    "keep_alive",
    "x_forwarded_for",
    "x_forwarded_uri",
    "X_FORWARDED_HOST",
    "x_envoy_original_path",
    "sec_websocket_key",
    "max_forwards",
    "x_middleware_subrequest",
    "x.org.id",
    "X~Org!Id",
    "X-Org'Id",
    "content.length",
    "transfer^encoding",
    "x.forwarded.for",
  ])("%s", (name) => {
    expect(kindOf(name)).toBe("drop");
  });

  test.for(["x_foo", "_", "x_org", "authorization_", "_x_org_id"])("%s is an alias of nothing", (name) => {
    expect(kindOf(name)).toBe("pass");
  });

  test("a configured name with an underscore has its aliases with a hyphen", () => {
    const change = {
      identity: ["X_Tenant_Id"],
      credentials: ["memory_key"],
      owned: ["b_c"],
      remove: ["q_r"],
    };
    for (const alias of ["X-Tenant-Id", "x-tenant_id", "Memory-Key", "b-c", "Q-R"]) {
      expect(kindOf(alias, change), alias).toBe("drop");
    }
    expect(kindOf("X_TENANT_ID", change)).toBe("owned");
    expect(kindOf("Memory_Key", change)).toBe("credential");
  });
});

describe("what the operator lets through", () => {
  test("passes, under its own name and its aliases", () => {
    const keep = ["X-Real-IP", "X-Forwarded-Port", "Authorization"];
    for (const name of ["x-real-ip", "X_REAL_IP", "X-Forwarded-Port", "x_forwarded_port"]) {
      expect(kindOf(name, { keep }), name).toBe("pass");
    }
    expect(kindOf("authorization", { keep, credentials: ["x-memory-key"] })).toBe("pass");
    expect(kindOf("x-forwarded-uri", { keep })).toBe("drop");
  });

  test("an alias that was let through does not open the name itself", () => {
    expect(kindOf("x_real_ip", { keep: ["x_real_ip"] })).toBe("pass");
    expect(kindOf("x-real-ip", { keep: ["x_real_ip"] })).toBe("drop");
  });

  test("never what frames the message, stands for this hop, or is the gate's own", () => {
    const keep = [
      "host",
      "te",
      "x-org-id",
      "x-request-id",
      "x-backend-token",
      "authorization",
      "x-forwarded-for",
    ];
    for (const name of keep) expect(kindOf(name, { keep }), name).not.toBe("pass");
  });
});

describe("spellings are remembered", () => {
  test("so that a known header costs one look", () => {
    const remembering = table();
    expect(remembering.rule("X-Foo")).toBe(remembering.rule("X-Foo"));
  });

  test("up to a bound: a client that invents names does not grow the process", () => {
    const remembering = table();
    const name = (n: number): string => `X-Invented-${n}`;
    for (let n = 0; n < 2048; n++) remembering.rule(name(n));
    expect(remembering.rule(name(2047))).toBe(remembering.rule(name(2047)));
    expect(remembering.rule(name(2048))).not.toBe(remembering.rule(name(2048)));
    expect(remembering.rule(name(2048))).toEqual({ kind: "pass", name: "x-invented-2048", place: -1 });
    expect(remembering.rule("X_Org_Id").kind).toBe("drop");
  });
});
