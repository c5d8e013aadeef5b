/** What the console makes of numbers, times and rows of usage, without a browser. */
import { expect, test } from "vitest";
import { faultOf, Failure, messageOf } from "../../src/console/app/api/failure.ts";
import {
  bytes,
  columnNumber,
  counted,
  duration,
  percent,
  reasonText,
  relativeTime,
} from "../../src/console/app/parts/wording.ts";
import { queryOf, rangeNamed, timelineOf } from "../../src/console/app/state/range.ts";
import { addedUp } from "../../src/console/app/state/sums.ts";
import { projectFiles, textOf } from "../support/source-files.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.parse("2026-11-21T10:20:30Z");

test.for([
  [0, "just now"],
  [-59_000, "just now"],
  [30_000, "in less than a minute"],
  [-3 * MINUTE_MS, "3 minutes ago"],
  [-119 * MINUTE_MS, "1 hour ago"],
  [-DAY_MS, "yesterday"],
  [2 * DAY_MS, "in 2 days"],
  [-70 * DAY_MS, "2 months ago"],
  [800 * DAY_MS, "in 2 years"],
] as const)("%i ms from now is %s", ([apartMs, text]) => {
  expect(relativeTime(NOW_MS + apartMs, NOW_MS)).toBe(text);
});

test("numbers are short, and nothing is rounded down to none", () => {
  expect(percent(0, 0)).toBe("0 %");
  expect(percent(1, 10_000)).toBe("< 0.1 %");
  expect(percent(1, 3)).toBe("33 %");
  expect([percent(998, 1000), percent(99_999, 100_000), percent(7, 7)]).toEqual([
    "99.8 %",
    "99.9 %",
    "100 %",
  ]);
  expect([columnNumber(9_999_999), columnNumber(241_520_000_000)]).toEqual(["9,999,999", "241.5B"]);
  expect(counted(1, "gate")).toBe("1 gate");
  expect(counted(1200, "gate")).toBe("1,200 gates");
  expect([bytes(999), bytes(1500), bytes(2_000_000_000)]).toEqual(["999 B", "1.5 KB", "2.0 GB"]);
  expect([duration(120), duration(4200), duration(5 * MINUTE_MS), duration(DAY_MS)]).toEqual([
    "120 ms",
    "4.2 s",
    "5 min",
    "24 h",
  ]);
  expect(reasonText("environment_denied")).toBe("Wrong environment");
  expect([reasonText("scope_missing"), reasonText("something_new")]).toEqual([
    "Scope missing",
    "Something new",
  ]);
});

const use = (at: string, requests: number, denied = 0, errors = 0) => ({
  at,
  group: "",
  requests,
  denied,
  errors,
  bytes_in: 1,
  bytes_out: 2,
  denied_by_reason: denied === 0 ? {} : { scope_missing: denied },
});

test("a range ends with the step under way and has as many steps as it says", () => {
  const { from, step } = queryOf("24h", NOW_MS);
  expect([from, step]).toEqual(["2026-11-20T11:00:00.000Z", "hour"]);
  const to = new Date(NOW_MS).toISOString();
  const { points } = timelineOf({ from, to, step }, [
    use("2026-11-20T11:00:00Z", 5),
    use("2026-11-21T10:00:00Z", 7, 2, 1),
  ]);
  expect(points).toHaveLength(24);
  expect(points[0]).toMatchObject({ ok: 5, denied: 0, errors: 0 });
  expect(points[12]).toMatchObject({ ok: 0, denied: 0, errors: 0 });
  expect(points[23]).toMatchObject({ ok: 6, denied: 2, errors: 1 });
});

test("what a range is called in the address is one of those that there are", () => {
  expect([rangeNamed("7d"), rangeNamed("toString"), rangeNamed(undefined)]).toEqual(["7d", "24h", "24h"]);
});

test("environments at the same moment add up", () => {
  const items = [use("2026-11-21T10:00:00Z", 5, 1), use("2026-11-21T10:00:00Z", 7, 2, 1)];
  expect(addedUp(items)).toEqual({
    requests: 12,
    denied: 3,
    errors: 1,
    bytes_in: 2,
    bytes_out: 4,
    denied_by_reason: { scope_missing: 3 },
  });
});

test("a refusal says what to do, and a field knows its own fault", () => {
  const failure = new Failure("refused", {
    status: 422,
    code: "field_invalid",
    faults: [{ pointer: "/organization/id", detail: "is too long" }],
  });
  expect(messageOf(failure)).toBe("organization/id is too long.");
  expect([faultOf(failure, "/organization"), faultOf(failure, "/name")]).toEqual(["is too long", undefined]);
  expect(messageOf(new Failure("refused", { code: "too_many_attempts", retryAfterSeconds: 7 }))).toContain(
    "7 seconds",
  );
  expect(messageOf(new Failure("unreachable", { detail: "It is gone." }))).toBe(
    "It is gone. Try again when it is back.",
  );
});

test("nothing in the console makes elements from text, runs text, or keeps anything but the theme", () => {
  const sources = projectFiles("src/console/app").filter((path) => /\.tsx?$/.test(path));
  expect(sources.length).toBeGreaterThan(40);
  const forbidden =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\sstyle=|document\.cookie|sessionStorage|indexedDB/;
  expect(sources.filter((path) => forbidden.test(textOf(path)))).toEqual([]);
  expect(sources.filter((path) => textOf(path).includes("localStorage"))).toEqual([
    "src/console/app/state/theme.ts",
  ]);
});
