/** Client connections never take the descriptors that a gate needs to serve and to be looked at. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { connectionsThatFit, openFilesMax } from "../../../src/cli/descriptor-limit.ts";

test("a limit that is high enough changes nothing", () => {
  expect(connectionsThatFit(10_000, 128, 1_048_576)).toBe(10_000);
  expect(connectionsThatFit(10_000, 128, Number.POSITIVE_INFINITY)).toBe(10_000);
});

test.for([
  [1024, 128, 848],
  [1024, 10_000, 488],
  [80, 128, 16],
  [64, 128, 8],
  [10, 128, 8],
] as const)(
  "with %i files and %i upstream connections there is room for %i clients",
  ([files, upstream, clients]) => {
    expect(connectionsThatFit(10_000, upstream, files)).toBe(clients);
  },
);

test("clients, their upstream connections and the process itself fit any limit that leaves room at all", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 64, max: 100_000 }),
      (wanted, upstream, files) => {
        const clients = connectionsThatFit(wanted, upstream, files);
        expect(clients).toBeLessThanOrEqual(wanted);
        expect(clients).toBeGreaterThan(0);
        expect(clients + Math.min(clients, upstream) + 48).toBeLessThanOrEqual(files);
      },
    ),
  );
});

test("the limit of this process is known or taken to be none", () => {
  expect(openFilesMax()).toBeGreaterThan(0);
});
