import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../../src/base/duration.ts";

test.for([
  ["0s", 0],
  ["500ms", 500],
  ["2s", 2000],
  ["5m", 300_000],
  ["24h", 86_400_000],
  ["30d", 2_592_000_000],
] as const)("%s is %i milliseconds", ([text, ms]) => {
  expect(parseDuration(text)).toBe(ms);
});

test.for(["", "5", "s", "1.5s", "-1s", "1 s", "1S", "1w", "1h30m", "1e3s", "9999999999s", " 1s", "1s\n"])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test.for([
  [0, "0s"],
  [1, "1ms"],
  [1500, "1500ms"],
  [90_000, "90s"],
  [3_600_000, "1h"],
  [86_400_000, "1d"],
] as const)("%i milliseconds are written %s", ([ms, text]) => {
  expect(formatDuration(ms)).toBe(text);
});
