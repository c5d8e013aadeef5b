import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { TextMemo } from "../../../src/base/text-memo.ts";

function counting(bounds = { entriesMax: 3, lengthMax: 5 }): { memo: TextMemo<string>; asked: string[] } {
  const asked: string[] = [];
  const memo = new TextMemo((text) => {
    asked.push(text);
    return text.toLowerCase();
  }, bounds);
  return { memo, asked };
}

test("what was asked for before is not worked out again, and the empty text is a text", () => {
  const { memo, asked } = counting();
  for (const text of ["A\u00c9", "A\u00c9", "", "A\u00c9", ""])
    expect(memo.get(text)).toBe(text.toLowerCase());
  expect(asked).toEqual(["A\u00c9", ""]);
  expect(memo.size).toBe(2);
});

test("no more are kept than the bound, and those that recur come back", () => {
  const { memo, asked } = counting();
  for (const text of ["A", "B", "C", "A", "B", "C"]) memo.get(text);
  expect(asked).toEqual(["A", "B", "C"]);
  expect(memo.get("D")).toBe("d");
  expect(memo.size).toBe(1);
  expect(memo.get("A")).toBe("a");
  expect(asked).toEqual(["A", "B", "C", "D", "A"]);
});

test("a text beyond the bound is worked out each time and never kept", () => {
  const { memo, asked } = counting();
  expect(memo.get("FIVE5")).toBe("five5");
  expect(memo.size).toBe(1);
  for (let round = 0; round < 2; round++) expect(memo.get("SIXSIX")).toBe("sixsix");
  expect(memo.size).toBe(1);
  expect(asked).toEqual(["FIVE5", "SIXSIX", "SIXSIX"]);
});

test("a piece of a long string does not keep that string alive", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const memo = new TextMemo((text) => text.toLowerCase(), { entriesMax: 100, lengthMax: 64 });
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 64; i++) {
    const head = Buffer.from(`x-name-of-some-length-${i}: ${"x".repeat(2 ** 19)}`, "latin1");
    memo.get(head.toString("latin1").slice(0, 24));
  }
  collect();
  expect(memo.size).toBe(64);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 2 ** 20);
});
