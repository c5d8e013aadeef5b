/** From the config to what a request meets: what is compiled, and what the config leaves to defaults. */
import { afterEach, describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { compileGate, type GateState } from "../../../src/gate/gate-state.ts";
import type { Upstream } from "../../../src/gate/upstream.ts";
import { KeyCacheStats } from "../../../src/keys/cache.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { digestOf } from "../../../src/keys/digest.ts";
import { makeKey } from "../../support/fixtures.ts";
import { type ConfigChange, gateConfig, GateScene, sourceOf, valuesOf } from "../../support/gate-scene.ts";
import { ManualSource } from "../../support/manual-source.ts";

const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

function sceneWith(config: ConfigChange = {}): GateScene {
  const scene = new GateScene({ config });
  scenes.push(scene);
  return scene;
}

function stateWith(config: ConfigChange = {}): GateState {
  return sceneWith(config).state;
}

const twoUpstreams = { a: { url: "http://a.test" }, default: { url: "http://b.test" } };

describe("a route", () => {
  const routesWith = (...routes: NonNullable<ConfigChange["routes"]>): GateState["routes"]["routes"] =>
    stateWith({ routes, upstreams: twoUpstreams }).routes.routes;

  test("is called by its name, or else by its pattern", () => {
    const [named, bare] = routesWith({ path: "/a", name: "list" }, { path: "/b/{id}" });
    expect(named).toMatchObject({ name: "list", pattern: "/a", index: 0 });
    expect(bare).toMatchObject({ name: "/b/{id}", pattern: "/b/{id}", index: 1 });
  });

  test("asks for nothing that it does not name", () => {
    expect(routesWith({ path: "/a" })[0]).toMatchObject({
      isPublic: false,
      scopes: undefined,
      anyScope: undefined,
      scopeNames: [],
      handler: undefined,
      environments: undefined,
      networks: undefined,
      methods: 255,
    });
  });

  test("names its scopes for the challenge, those needed together first", () => {
    const [route] = routesWith({ path: "/a", any_scope: ["c"], scopes: ["a", "b"] });
    expect(route?.scopeNames).toEqual(["a", "b", "c"]);
  });

  test("goes to the upstream it names, to one for each environment, or to the default one", () => {
    const [named, split, silent] = routesWith(
      { path: "/a", upstream: "a" },
      { path: "/b", upstream: { live: "a", test: "default" } },
      { path: "/c" },
    );
    expect(named?.upstream).toMatchObject({ name: "a" });
    expect(silent?.upstream).toMatchObject({ name: "default" });
    expect(split?.upstream).toEqual(
      new Map([
        ["live", named?.upstream],
        ["test", silent?.upstream],
      ]),
    );
  });

  test("goes to the only upstream, whatever that is called", () => {
    const { routes } = stateWith({ upstreams: { only: { url: "http://only.test" } } });
    expect(routes.routes[0]?.upstream).toMatchObject({ name: "only" });
  });

  test("has the body bound of the config, or its own", () => {
    const { routes } = stateWith({
      bounds: { body: "5KiB" },
      routes: [{ path: "/a" }, { path: "/b", max_body: "1KiB" }, { path: "/c", max_body: "0" }],
    });
    expect(routes.routes.map(({ bodyBytesMax }) => bodyBytesMax)).toEqual([5120, 1024, 0]);
  });

  test("cannot go to an upstream that was not made", () => {
    const parts = {
      clock: { now: () => 0, monotonic: () => 0 },
      source: sourceOf([]),
      counters: new KeyCounterTable(1),
      cacheStats: new KeyCacheStats(),
      upstreams: new Map<string, Upstream>(),
    };
    expect(() => compileGate(gateConfig(), parts)).toThrow("upstream default is not configured");
  });
});

describe("GET covers HEAD", () => {
  const methodsOf = (...routes: NonNullable<ConfigChange["routes"]>): readonly number[] => {
    const scene = sceneWith({ routes });
    expect(scene.faults).toEqual([]);
    return scene.state.routes.routes.map(({ methods }) => methods);
  };

  test("unless HEAD has a rule of its own on the same path", () => {
    expect(methodsOf({ path: "/a", methods: ["GET"] })).toEqual([3]);
    expect(methodsOf({ path: "/a", methods: ["GET"] }, { path: "/b", methods: ["HEAD"] })).toEqual([3, 2]);
    expect(methodsOf({ path: "/a", methods: ["GET"] }, { path: "/a", methods: ["HEAD"] })).toEqual([1, 2]);
    expect(methodsOf({ path: "/a", methods: ["HEAD"] }, { path: "/a", methods: ["GET", "POST"] })).toEqual([
      2, 5,
    ]);
    expect(methodsOf({ path: "/a", methods: ["GET", "HEAD"] })).toEqual([3]);
  });
});

test("faults of the route table are handed on", () => {
  expect(sceneWith({ routes: [{ path: "/a" }, { path: "/a" }] }).faults).toMatchObject([{ index: 1 }]);
  expect(sceneWith().faults).toEqual([]);
});

describe("headers", () => {
  test("of credentials, identity and backends are known, and the operator's exceptions", () => {
    const { headers } = stateWith({
      upstreams: {
        ...twoUpstreams,
        c: { url: "http://c.test", auth: { header: "X-Backend", value: "secret" } },
      },
      credentials: [{ header: "X-Memory-Key" }, { header: "Authorization", schemes: ["Token"] }],
      identity: { organization: "X-Tenant" },
      headers: { remove: ["X-Debug"], keep: ["X-Real-IP"] },
    });
    expect(headers.rule("x-memory-key")).toMatchObject({ kind: "credential", place: 0 });
    expect(headers.rule("authorization")).toMatchObject({ kind: "credential", place: 1 });
    expect(headers.rule("x-tenant").kind).toBe("owned");
    expect(headers.rule("x-backend").kind).toBe("owned");
    expect(headers.rule("x-debug").kind).toBe("drop");
    expect(headers.rule("x-real-ip").kind).toBe("pass");
  });

  test("that answers must not echo are the identity's, in lower case; one that is off is none", () => {
    const { identityNames } = stateWith({ identity: { organization: "X-Tenant", key: null } });
    expect(identityNames).toEqual(new Set(["x-tenant", "x-project-id", "x-environment"]));
  });

  test("that tell callers apart stand in Vary", () => {
    expect(stateWith().vary).toBe("authorization, x-api-key");
  });
});

describe("credentials", () => {
  test("are found by their scheme in any case", () => {
    const { places } = stateWith({
      credentials: [{ header: "X-Key", schemes: ["Api-Key", "TOKEN"] }, { header: "X-B" }],
    });
    expect(places).toEqual([
      { header: "x-key", schemes: ["api-key", "token"] },
      { header: "x-b", schemes: undefined },
    ]);
  });

  test.for<[scheme: string, credentials: NonNullable<ConfigChange["credentials"]>]>([
    ["Bearer", [{ header: "authorization", schemes: ["Token", "BEARER"] }]],
    ["Token", [{ header: "authorization", schemes: ["Token", "Api-Key"] }]],
    ["Token", [{ header: "x-key" }, { header: "authorization", schemes: ["Token"] }]],
    ["ApiKey", [{ header: "x-key" }]],
  ])("are asked for by a challenge of a scheme that is looked at: %s", ([scheme, credentials]) => {
    const { headers } = stateWith({ credentials }).replies.answer(new Denial("key_missing"), []);
    expect(valuesOf(headers, "WWW-Authenticate")).toEqual([`${scheme} realm="keyward"`]);
  });
});

describe("answers", () => {
  const bodyOf = (code: "key_revoked" | "key_missing", config: ConfigChange): string =>
    stateWith(config).replies.answer(new Denial(code), []).body.toString();

  test("have the format, the texts and the openness of the config", () => {
    expect(bodyOf("key_missing", { errors: { format: "detail" } })).toBe(
      '{"detail":"An API key is required."}',
    );
    expect(bodyOf("key_missing", { errors: { format: { e: "{{code}}" } } })).toBe('{"e":"key_missing"}');
    expect(bodyOf("key_missing", { errors: { format: "error", messages: { key_missing: "No key." } } })).toBe(
      '{"error":"No key."}',
    );
    expect(bodyOf("key_revoked", { errors: { format: { e: "{{code}}" } } })).toBe('{"e":"key_invalid"}');
    expect(bodyOf("key_revoked", { errors: { format: { e: "{{code}}" }, reveal: true } })).toBe(
      '{"e":"key_revoked"}',
    );
  });

  test("name the realm of the config", () => {
    const { headers } = stateWith({ errors: { realm: "memory" } }).replies.answer(
      new Denial("key_missing"),
      [],
    );
    expect(valuesOf(headers, "WWW-Authenticate")).toEqual(['Bearer realm="memory"']);
  });

  test("to browsers follow the policy of the config, if there is one", () => {
    expect(stateWith().cors).toBeUndefined();
    const given = { origins: ["https://a.test"], credentials: true, max_age: "90s", expose: ["X-A"] };
    expect(stateWith({ cors: { ...given, methods: ["get"], headers: ["x-b"] } }).cors).toEqual({
      origins: new Set(["https://a.test"]),
      methods: ["GET"],
      headers: ["x-b"],
      expose: ["X-A"],
      allowsCredentials: true,
      maxAgeSeconds: 90,
    });
  });
});

describe("the rest of the way", () => {
  test("is named in Via as the config says", () => {
    expect(stateWith({ via: "edge-1" })).toMatchObject({ via: "1.1 edge-1" });
  });

  test("trusts no proxy unless the config names one", () => {
    expect(stateWith().trustedProxies).toBeUndefined();
    expect(stateWith({ trusted_proxies: ["10.0.0.0/8"] }).trustedProxies?.check("10.1.1.1")).toBe(true);
  });

  test("reads targets up to the bound of the config", () => {
    const scene = sceneWith({ bounds: { target_bytes: "64" } });
    expect(scene.code({ target: `/${"a".repeat(63)}` })).toBe("key_missing");
    expect(scene.code({ target: `/${"a".repeat(64)}` })).toBe("target_too_long");
  });

  test("knows keys by the format of the config, or takes any token", () => {
    const key = makeKey({ secret: "any-token-of-sixteen" });
    const ask = (config: ConfigChange): string => {
      const scene = new GateScene({ keys: [key], config });
      scenes.push(scene);
      return scene.code({ headers: ["X-Api-Key", key.secret] });
    };
    expect(ask({})).toBe("key_invalid");
    expect(ask({ key_format: undefined })).toBe("admitted");
  });

  test("remembers keys as long as the config says", () => {
    const key = makeKey();
    let asked = 0;
    const source = { ...counting(key, () => asked++), size: 1, onChange: () => () => undefined };
    const scene = new GateScene({ source, config: { cache: { ttl: "10s", negative_ttl: "2s" } } });
    scenes.push(scene);
    const secrets = [key.secret, makeKey().secret];
    const ask = (): void => {
      for (const secret of secrets) scene.code({ headers: ["X-Api-Key", secret] });
    };
    ask();
    ask();
    expect(asked).toBe(2);
    scene.clock.advance(2001);
    ask();
    expect(asked).toBe(3);
    scene.clock.advance(8000);
    ask();
    expect(asked).toBe(5);
  });

  test("asks for two thousand keys at once, as when all clients come back", () => {
    const source = new ManualSource();
    const scene = new GateScene({ source });
    scenes.push(scene);
    for (let key = 0; key < 2000; key++) void scene.state.keys.resolve(digestOf(`key ${key}`));
    expect(source.questions.length).toBe(2000);
  });
});

function counting(
  key: ReturnType<typeof makeKey>,
  count: () => void,
): Pick<ReturnType<typeof sourceOf>, "find"> {
  const source = sourceOf([key]);
  return {
    find: (digest) => {
      count();
      return source.find(digest);
    },
  };
}
