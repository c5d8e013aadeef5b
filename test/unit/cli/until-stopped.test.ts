/** What signals do to a serving process. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { EarlyHangUps, untilStopped } from "../../../src/cli/until-stopped.ts";

test("many SIGHUPs at once are one reload, and the last one is never too early", async () => {
  const [hangUps, ends] = [process.listeners("SIGHUP"), process.listeners("SIGTERM")];
  const reasons: string[] = [];
  const served = { reload: (reason: string) => reasons.push(reason), close: () => Promise.resolve() };
  const stopped = untilStopped(served, new EarlyHangUps());
  // Only its own listeners: signals mean something to the test runner, too.
  const hangUp = process.listeners("SIGHUP").find((listener) => !hangUps.includes(listener));
  const end = process.listeners("SIGTERM").find((listener) => !ends.includes(listener));
  for (let n = 0; n < 20; n++) hangUp?.("SIGHUP");
  await turn();
  expect(reasons).toEqual(["SIGHUP"]);
  hangUp?.("SIGHUP");
  await turn();
  expect(reasons).toHaveLength(2);
  end?.("SIGTERM");
  expect(await stopped).toBe(0);
  expect([process.listeners("SIGHUP"), process.listeners("SIGTERM")]).toEqual([hangUps, ends]);
});

test("a SIGHUP during the start is a reload as soon as there is something to reload", async () => {
  const [hangUps, ends] = [process.listeners("SIGHUP"), process.listeners("SIGTERM")];
  const reasons: string[] = [];
  const early = new EarlyHangUps();
  const note = process.listeners("SIGHUP").find((listener) => !hangUps.includes(listener));
  note?.("SIGHUP");
  const served = { reload: (reason: string) => reasons.push(reason), close: () => Promise.resolve() };
  const stopped = untilStopped(served, early);
  await turn();
  expect(reasons).toEqual(["SIGHUP"]);
  process.listeners("SIGTERM").find((listener) => !ends.includes(listener))?.("SIGTERM");
  expect(await stopped).toBe(0);
  expect(process.listeners("SIGHUP")).toEqual(hangUps);
});
