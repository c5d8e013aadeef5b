import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { OverloadGuard, TICK_MS } from "../../../src/gate/overload.ts";

function started(delayMaxMs: number): { clock: ManualClock; guard: OverloadGuard; full: () => boolean } {
  const clock = new ManualClock(0);
  const guard = new OverloadGuard(delayMaxMs, () => clock.monotonic());
  guard.start();
  return { clock, guard, full: () => guard.isOverloaded(clock.monotonic()) };
}

test("what comes behind a stall is refused, before the late tick and after it, until one is punctual", () => {
  const { clock, guard, full } = started(500);
  clock.advance(TICK_MS + 500);
  expect(full()).toBe(false);
  clock.advance(1);
  expect(full()).toBe(true);
  guard.tick();
  expect(full()).toBe(true);
  clock.advance(TICK_MS + 251);
  guard.tick();
  expect(full()).toBe(true);
  clock.advance(TICK_MS + 250);
  guard.tick();
  expect(full()).toBe(false);
  guard.stop();
});

test("where the guard is off no stall refuses anything", () => {
  const { clock, guard, full } = started(0);
  clock.advance(60_000);
  expect(full()).toBe(false);
  guard.stop();
});
