/** Bytes in any pieces give the same lines, and no line grows without bound. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter, LineTooLongError } from "../../../src/base/line-splitter.ts";

function linesOf(text: string, cuts: readonly number[], bytesMax = 1000): string[] {
  const bytes = Buffer.from(text);
  const splitter = new LineSplitter(bytesMax);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  const lines: Buffer[] = [];
  for (let i = 1; i < places.length; i++)
    lines.push(...splitter.push(bytes.subarray(places[i - 1], places[i])));
  return [...lines, splitter.end()].map(String);
}

test("however the bytes are cut, the lines are the same", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "é", "\n", "\r\n", "long piece of text"), { maxLength: 40 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      (pieces, cuts) => {
        const text = pieces.join("");
        const expected = text.split(/(?<=\n)/);
        if (text === "" || text.endsWith("\n")) expected.push("");
        expect(linesOf(text, cuts)).toEqual(text === "" ? [""] : expected);
      },
    ),
  );
});

test("a line that is too long is refused, in one piece or in many", () => {
  expect(() => linesOf("x".repeat(11), [], 10)).toThrow(LineTooLongError);
  expect(() => linesOf(`${"x".repeat(11)}\n`, [], 10)).toThrow(LineTooLongError);
  expect(() => linesOf("x".repeat(30), [5, 10, 15], 10)).toThrow(LineTooLongError);
  expect(linesOf(`${"x".repeat(9)}\n${"y".repeat(10)}`, [3], 10)).toEqual([
    `${"x".repeat(9)}\n`,
    "y".repeat(10),
  ]);
});
