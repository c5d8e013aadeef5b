import { expect, test } from "vitest";
import { editDistance, nearestWord } from "../../../src/base/edit-distance.ts";

test.for([
  ["", "", 0],
  ["port", "port", 0],
  ["prot", "port", 1],
  ["por", "port", 1],
  ["ports", "port", 1],
  ["pork", "port", 1],
  ["kitten", "sitting", 3],
  ["", "abc", 3],
] as const)("%s and %s are %i apart", ([a, b, edits]) => {
  expect(editDistance(a, b)).toBe(edits);
  expect(editDistance(b, a)).toBe(edits);
});

const OPTIONS = ["host", "port", "max_keys", "max_body", "timeouts", "warn", "ttl"];

test.for([
  ["prot", "port"],
  ["hots", "host"],
  ["maxKeys", "max_keys"],
  ["max-body", "max_body"],
  ["MAX_KEYS", "max_keys"],
  ["timeout", "timeouts"],
  ["warning", "warn"],
  ["tll", "ttl"],
] as const)("%s means %s", ([written, known]) => {
  expect(nearestWord(written, OPTIONS)).toBe(known);
});

test.for(["", "colour", "xyz", "p", "___", "a".repeat(1000)])("%s means none of them", (written) => {
  expect(nearestWord(written, OPTIONS)).toBeUndefined();
});
