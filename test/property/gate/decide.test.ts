/**
 * Whatever is sent, only what a key may call goes up, also when the upstream reads the path in the
 * laxest way there is: decoded until nothing is left to decode, dots resolved, parameters cut off.
 */
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import type { Admitted } from "../../../src/gate/admit.ts";
import { Preflight } from "../../../src/gate/decide.ts";
import { makeKey } from "../../support/fixtures.ts";
import { GateScene, NOW_MS, type RequestFields } from "../../support/gate-scene.ts";

const at = (ms: number): string => new Date(NOW_MS + ms).toISOString();
const KEYS = {
  reader: makeKey({ scopes: ["read"] }),
  writer: makeKey({ scopes: ["read", "write"] }),
  chief: makeKey({ scopes: ["chief"] }),
  idle: makeKey({ scopes: [] }),
  gone: makeKey({ scopes: ["*"], revoked_at: at(-1) }),
  over: makeKey({ scopes: ["*"], expires_at: at(0) }),
  early: makeKey({ scopes: ["*"], not_before: at(1) }),
};
type Name = keyof typeof KEYS;
const NAMES = Object.keys(KEYS) as Name[];
const STRANGER = makeKey();

const scene = new GateScene({
  keys: Object.values(KEYS),
  config: {
    scopes: { chief: ["read", "write", "admin"] },
    routes: [
      { path: "/health", public: true },
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
      { path: "/v1/memories/**", methods: ["POST"], scopes: ["write"] },
      { path: "/v1/admin/**", scopes: ["admin"] },
    ],
  },
});
afterAll(() => scene.close());

/** What each of these keys may do, written down apart from any scope table. */
const MAY: Readonly<Record<Name, readonly string[]>> = {
  reader: ["read"],
  writer: ["read", "write"],
  chief: ["read", "write", "admin"],
  idle: [],
  gone: [],
  over: [],
  early: [],
};

/** The right that a resource needs; undefined where nobody has one. */
function rightFor(path: string, method: string): string | undefined {
  const isIn = (root: string): boolean => path === root || path.startsWith(`${root}/`);
  if (path === "/health") return "none";
  if (isIn("/v1/memories")) return { GET: "read", HEAD: "read", POST: "write" }[method];
  return isIn("/v1/admin") ? "admin" : undefined;
}

/** The resource that the most obliging of servers would find under a path. */
function laxly(path: string): string {
  let text = path;
  for (let before = ""; before !== text;) {
    before = text;
    text = text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, pair: string) =>
      String.fromCharCode(Number.parseInt(pair, 16)),
    );
  }
  const kept: string[] = [];
  for (const segment of text.split(/[/\\]/).map((part) => part.split(/[;?#\u0000]/)[0] ?? "")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}

const PIECES =
  String.raw`/v1 /memories /admin /health / // /. /.. /%2e%2e %2f %2F .. %2e . \ %5c ; ;/ %3b %00 %25 %252e %252f
  %25%32e ? # %61dmin /%61dmin a x /x %6demories`.split(/\s+/);
const target = fc.oneof(
  fc.constantFrom("/health", "/v1/memories", "/v1/memories/a", "/v1/admin", "/v1/admin/keys", "/v1", "/"),
  fc
    .tuple(
      fc.constantFrom("/v1/memories", "/health", "/v1/admin", ""),
      fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }),
    )
    .map(([start, pieces]) => start + pieces.join("")),
);
const method = fc.constantFrom("GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE");

interface Credential {
  readonly lines: readonly string[];
  /** Who is known by it; undefined: nobody, or not one. */
  readonly name: Name | undefined;
}

const none: fc.Arbitrary<Credential> = fc.constantFrom<Credential[]>(
  { lines: [], name: undefined },
  { lines: ["Authorization", "Basic dTpw"], name: undefined },
  { lines: ["X-Api-Key", STRANGER.secret], name: undefined },
  { lines: ["X-Api-Key", "mem_live_short"], name: undefined },
  { lines: ["X_Api_Key", KEYS.chief.secret], name: undefined },
  { lines: ["Cookie", `key=${KEYS.chief.secret}`], name: undefined },
);
const one: fc.Arbitrary<Credential> = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom("bare", "bearer", "both"),
    fc.constantFrom<string[]>([], ["X-Org-Id", "evil"], ["X_Api_Key", KEYS.chief.secret]),
  )
  .map(([name, place, more]): Credential => {
    const { secret } = KEYS[name];
    const bare = place === "bearer" ? [] : ["X-Api-Key", secret];
    const bearer = place === "bare" ? [] : ["Authorization", `Bearer ${secret}`];
    return { lines: [...bare, ...more, ...bearer], name };
  });
const two: fc.Arbitrary<Credential> = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES), fc.boolean())
  .map(([name, other, isRepeated]): Credential => {
    const first = ["X-Api-Key", KEYS[name].secret];
    if (isRepeated) return { lines: [...first, "x-api-key", KEYS[other].secret], name: undefined };
    const isSame = name === other;
    return {
      lines: [...first, "Authorization", `Bearer ${KEYS[other].secret}`],
      name: isSame ? name : undefined,
    };
  });
const credential = fc.oneof({ weight: 4, arbitrary: one }, none, two);

function admittedFor(request: RequestFields): Admitted | undefined {
  const decision = scene.decide(request);
  return decision instanceof Denial || decision instanceof Preflight ? undefined : decision;
}

test("what goes up is something that the key on the request may call, however the path is read", () => {
  const runs = 10 * (fc.readConfigureGlobal().numRuns ?? 100);
  fc.assert(
    fc.property(method, target, credential, (method, target, { lines, name }) => {
      const admitted = admittedFor({ method, target, headers: lines });
      if (admitted === undefined) return;
      const rights = name === undefined ? [] : MAY[name];
      expect(["none", ...rights]).toContain(rightFor(laxly(admitted.target.path), method));
    }),
    { numRuns: runs },
  );
});

test("whoever is let in is let in as the one whose key it was, and as nobody on a public path", () => {
  fc.assert(
    fc.property(method, target, credential, (method, target, { lines, name }) => {
      const admitted = admittedFor({ method, target, headers: lines });
      if (admitted === undefined) return;
      const isPublic = laxly(admitted.target.path) === "/health";
      expect(admitted.key?.id).toBe(isPublic || name === undefined ? undefined : KEYS[name].record.id);
      if (!isPublic) expect(admitted.secret).toBe(name === undefined ? undefined : KEYS[name].secret);
    }),
  );
});

test("a plain request is let in exactly when its key may call it", () => {
  const plain = fc.constantFrom(
    "/health",
    "/v1/memories",
    "/v1/memories/a/b",
    "/v1/admin",
    "/v1/admin/keys",
    "/v1",
  );
  fc.assert(
    fc.property(
      fc.constantFrom("GET", "HEAD", "POST", "DELETE"),
      plain,
      credential,
      (method, target, { lines, name }) => {
        const right = rightFor(target, method);
        const mayPass =
          right === "none" || (name !== undefined && right !== undefined && MAY[name].includes(right));
        expect(admittedFor({ method, target, headers: lines }) !== undefined).toBe(mayPass);
      },
    ),
  );
});

test("nobody learns by the status whether a path exists without a key that is good", () => {
  fc.assert(
    fc.property(method, target, none, (method, target, { lines }) => {
      const decision = scene.decide({ method, target, headers: lines });
      if (!(decision instanceof Denial)) return;
      expect(decision.code).not.toMatch(/^(?:route_denied|scope_missing|environment_denied|network_denied)$/);
    }),
  );
});

test("a decision is the same the second time", () => {
  fc.assert(
    fc.property(method, target, credential, (method, target, { lines }) => {
      const request = { method, target, headers: lines };
      expect(scene.decide(request)).toEqual(scene.decide(request));
    }),
  );
});
