/** Whatever lines make up a head, it is refused or says one thing only, in whatever order they came. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { denialKinds } from "../../../src/errors/catalogue.ts";
import { Denial } from "../../../src/errors/denial.ts";
import { type Head, readHead } from "../../../src/gate/head.ts";
import { HeaderTable } from "../../../src/gate/header-table.ts";
import { requestLine } from "../../support/gate-scene.ts";

type Line = readonly [name: string, value: string];

const TABLE = new HeaderTable({
  credentials: ["authorization", "x-api-key"],
  identity: ["x-org-id", "X_Tenant_Id"],
  owned: ["x-backend"],
  remove: ["x-debug"],
  keep: ["x-real-ip"],
});

const NAMES =
  `Host Content-Length Transfer-Encoding Connection Upgrade Expect Origin Via Max-Forwards X-Forwarded-For
  Sec-WebSocket-Key Sec-WebSocket-Version Authorization X-Api-Key X-Org-Id X_Tenant_Id X-Tenant-Id X_Org_Id TE Trailer
  Keep-Alive Accept Cookie X-Foo X-Real-IP`.split(/\s+/);
const VALUES = [
  "gate.test",
  "a b",
  "5",
  "05",
  "0",
  "-1",
  "5, 5",
  "chunked",
  "gzip, chunked",
  "close",
  "keep-alive",
  "upgrade",
];
const MORE = [
  "X-Foo",
  "x-org-id",
  "X_Tenant_Id",
  "Host, X-Foo",
  "te, ,close",
  "websocket",
  "100-continue",
  "200-ok",
  "",
  "13",
];

const name = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.constantFrom(...NAMES).map((name) => name.toLowerCase()),
  fc.constantFrom(...NAMES).map((name) => name.toUpperCase()),
);
const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...VALUES, ...MORE) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
);
/** Most heads have a Host, or nothing else about them would be seen. */
const lines: fc.Arbitrary<readonly Line[]> = fc
  .tuple(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.nat(8), fc.nat(4))
  .map(([lines, at, dice]) =>
    dice === 0 ? lines : [...lines.slice(0, at), ["Host", "gate.test"] as const, ...lines.slice(at)],
  );

function read(lines: readonly Line[], httpVersion = "1.1"): Head | Denial {
  return readHead(requestLine({ host: null, headers: lines.flat(), httpVersion }), TABLE);
}

function valuesOf(lines: readonly Line[], wanted: string): readonly string[] {
  return lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

test("it is refused with a code of framing, or read; it never throws", () => {
  fc.assert(
    fc.property(lines, fc.constantFrom("1.1", "1.0"), (lines, httpVersion) => {
      const head = read(lines, httpVersion);
      if (!(head instanceof Denial)) return;
      expect([400, 417, 501]).toContain(denialKinds[head.code].status);
    }),
  );
});

test("what is read has one Host, and one length or chunks or neither", () => {
  fc.assert(
    fc.property(lines, (lines) => {
      const head = read(lines);
      if (head instanceof Denial) return;
      expect(valuesOf(lines, "host")).toEqual([head.host]);
      const lengths = valuesOf(lines, "content-length");
      expect(lengths.map(Number)).toEqual(head.contentLength === -1 ? [] : [head.contentLength]);
      expect(lengths.every((length) => /^\d+$/.test(length))).toBe(true);
      expect(valuesOf(lines, "transfer-encoding").map((value) => value.toLowerCase())).toEqual(
        head.isChunked ? ["chunked"] : [],
      );
      expect(head.isChunked && lengths.length > 0).toBe(false);
    }),
  );
});

test("what is nominated for removal is never what the gate or the framing relies on", () => {
  const relied = new Set(
    "host content-length transfer-encoding connection authorization x-api-key x-org-id x-tenant-id x-backend via".split(
      " ",
    ),
  );
  fc.assert(
    fc.property(lines, (lines) => {
      const head = read(lines);
      if (head instanceof Denial) return;
      const nominated = [...(head.nominated ?? [])].map((name) => name.replaceAll("_", "-"));
      expect(nominated.filter((name) => relied.has(name))).toEqual([]);
    }),
  );
});

test("the order of lines decides nothing: reversed, the same head is refused or read", () => {
  fc.assert(
    fc.property(lines, (lines) => {
      const [head, turned] = [read(lines), read(lines.toReversed())];
      expect(turned instanceof Denial).toBe(head instanceof Denial);
      if (head instanceof Denial || turned instanceof Denial) return;
      expect(turned).toMatchObject({
        host: head.host,
        contentLength: head.contentLength,
        isChunked: head.isChunked,
        nominated: head.nominated,
        isWebSocket: head.isWebSocket,
      });
      const secrets = (from: Head): readonly string[] => (from.credentials ?? []).map(({ value }) => value);
      expect(secrets(turned).toReversed()).toEqual(secrets(head));
    }),
  );
});

test("a line that means nothing here changes nothing", () => {
  fc.assert(
    fc.property(lines, fc.nat(8), value, (lines, at, value) => {
      const more: readonly Line[] = [...lines.slice(0, at), ["X-Foo", value], ...lines.slice(at)];
      expect(read(more)).toEqual(read(lines));
    }),
  );
});
