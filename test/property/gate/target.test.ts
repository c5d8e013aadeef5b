/**
 * No target that leaves `readTarget` means two things. The attacks behind these: Oathkeeper
 * CVE-2026-33494, Envoy CVE-2021-29492 and CVE-2019-9901, Traefik CVE-2025-66490.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { type Target, canonicalSegment, readTarget } from "../../../src/gate/target.ts";
import { readByModel } from "./target-model.ts";

const LENGTH_MAX = 200;

/** Pieces of which dangerous paths are made; drawn together they come close to every known trick. */
const PIECES = String.raw`
  / // . .. %2e %2E %2f %2F %5c \ ; %3b ;x=1 ? %3f # %23
  % %2 %25 %252e %25%32e %25%32%65 %%32e %00 %0a %1f %7f %20
  a B 7 - _ ~ %61 %41 %7e %2d %5f %30 v1 admin memories
  ! $ & ' ( * + , = : @ | ^ { %21 %24 %26 %3a %40 %7b
  %c3%a9 %C3%A9 %c0%ae %e2%82 %ed%a0%80 %ff %80`;
const pieces = fc.constantFrom(
  ...PIECES.trim().split(/\s+/),
  " ",
  "\t",
  "\u00e9",
  "\u0000",
  "\u0080",
  "\uff0f",
);

const rawPath = fc.array(pieces, { maxLength: 12 }).map((chosen) => `/${chosen.join("")}`);
const authority = fc.constantFrom(
  "gate.test",
  "GATE.test:8080",
  "",
  "user@gate.test",
  "gate.test\\x",
  "[::1]",
);
const absolute = fc
  .tuple(fc.constantFrom("http://", "HTTPS://", "https://", "ftp://", "http:/", "//"), authority, rawPath)
  .map(([scheme, host, path]) => scheme + host + path);
const anything = fc.oneof(
  { weight: 6, arbitrary: rawPath },
  { weight: 2, arbitrary: absolute },
  { weight: 1, arbitrary: fc.array(pieces, { maxLength: 6 }).map((chosen) => chosen.join("")) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }).map((text) => `/${text}`) },
);

function read(raw: string): Target | undefined {
  const target = readTarget(raw, LENGTH_MAX);
  return target instanceof Denial ? undefined : target;
}

/** For properties of what is accepted: random text that is refused says nothing. */
function holdsForAccepted(check: (target: Target, raw: string) => void): void {
  const accepted = anything.filter((raw) => read(raw) !== undefined);
  fc.assert(
    fc.property(accepted, (raw) => {
      const target = read(raw);
      if (target !== undefined) check(target, raw);
    }),
  );
}

/** As the laxest of servers would: what is no escape stays. */
function decodeOnce(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  );
}

test("the reader and a second reader written in another way accept the same and read the same", () => {
  fc.assert(
    fc.property(anything, (raw) => {
      const target = read(raw);
      expect(target).toEqual(readByModel(raw, LENGTH_MAX));
    }),
    { numRuns: 20 * (fc.readConfigureGlobal().numRuns ?? 100) },
  );
});

test("what is canonical is read as itself", () => {
  holdsForAccepted((target) => {
    const { path, matchPath, query } = target;
    expect(read(path + query)).toEqual({ path, matchPath, query, authority: undefined });
  });
});

test("no decoding, once or twice, makes a dot, an empty segment, a separator or a parameter", () => {
  holdsForAccepted(({ path }) => {
    const once = decodeOnce(path);
    for (const seen of [path, once, decodeOnce(once)]) {
      expect(seen).not.toMatch(/[\\;?#\u0000-\u001f\u007f]/);
      const segments = seen.split("/");
      expect(segments).toHaveLength(path.split("/").length);
      expect(segments.slice(1, -1)).not.toContain("");
      expect(segments).not.toContain(".");
      expect(segments).not.toContain("..");
    }
  });
});

test("the path that is matched is the forwarded one with its printable ASCII decoded, once, and other escapes in upper case", () => {
  holdsForAccepted(({ path, matchPath }) => {
    const decoded = path.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
      const char = decodeOnce(escape);
      return /^[!-~]$/.test(char) && char !== "%" ? char : escape.toUpperCase();
    });
    expect(matchPath).toBe(decoded);
  });
});

test("two targets that one decoding makes equal are matched as the same path", () => {
  holdsForAccepted(({ path, matchPath }) => {
    const literal = read(matchPath);
    // A delimiter may need its escape (`?`); then no literal twin exists.
    if (literal !== undefined) expect(literal.matchPath).toBe(matchPath);
    expect(decodeOnce(matchPath)).toBe(decodeOnce(path));
  });
});

test("the query is what stood behind the first question mark, byte for byte", () => {
  holdsForAccepted(({ query }, raw) => {
    const at = raw.indexOf("?");
    expect(query).toBe(at === -1 ? "" : raw.slice(at));
  });
});

test("what is forwarded is printable ASCII that starts with a slash", () => {
  holdsForAccepted(({ path }) => expect(path).toMatch(/^\/[!-~]*$/));
});

test("a target of exactly the bound is read, one byte more is not", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (length) => {
      const raw = `/${"a".repeat(length - 1)}`;
      expect(readTarget(raw, length)).not.toBeInstanceOf(Denial);
      expect(readTarget(raw, length - 1)).toMatchObject({ code: "target_too_long" });
    }),
  );
});

test("a route literal is taken exactly when some request has it as a segment", () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 5 }), (chosen) => {
      const literal = chosen.join("");
      fc.pre(!literal.includes("/"));
      const canonical = canonicalSegment(literal);
      if (canonical === undefined) return;
      expect(canonical).not.toContain("?");
      const written = canonical.replace(/[^!-~]/gu, (char) => encodeURIComponent(char));
      expect(read(`/${written}`)?.matchPath).toBe(`/${canonical}`);
    }),
  );
});
