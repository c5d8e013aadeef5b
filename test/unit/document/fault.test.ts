/** Faults as people see them: place, message, line, caret. */
import { expect, test } from "vitest";
import { fileFault, formatFault, renderFault, type Fault } from "../../../src/document/fault.ts";

function fault(sourceLine: string, column: number, message = "is wrong"): Fault {
  return { code: "value", message, file: "a.yaml", line: 12, column, sourceLine };
}

test("a fault shows its line and a caret below the place", () => {
  expect(renderFault(fault("listen: { prot: 8080 }", 11, 'unknown key "prot"; did you mean "port"?'))).toBe(
    [
      'a.yaml:12:11: unknown key "prot"; did you mean "port"?',
      "   12 | listen: { prot: 8080 }",
      "      |           ^",
    ].join("\n"),
  );
});

test("a fault of the whole file has no line", () => {
  expect(renderFault(fileFault("a.yaml", "does not exist"))).toBe("a.yaml: does not exist");
});

test("the caret stays in place after tabs", () => {
  expect(renderFault(fault("\ta:\tb", 5)).split("\n").slice(1)).toEqual(["   12 |  a: b", "      |     ^"]);
});

test("of a long line only the part around the place is shown", () => {
  const [, line = "", caret = ""] = renderFault(fault(`${"a".repeat(5000)}!${"b".repeat(5000)}`, 5001)).split(
    "\n",
  );
  expect(line.length).toBeLessThan(140);
  expect(line.charAt(caret.indexOf("^"))).toBe("!");
});

test("nothing in a file can steer the terminal", () => {
  const rendered = renderFault(
    fault("a: \u001b[31mred\u0007\u009b2J \u202eb", 4, 'unknown key "\u001b]0;x\u0007"'),
  );
  expect(rendered).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
});

test("for a log a fault is one line", () => {
  expect(formatFault(fault("a: b", 4, "is\nwrong"))).toBe("a.yaml:12:4: is\ufffdwrong");
});
