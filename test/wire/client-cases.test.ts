/**
 * Every wire case against the gate as users run it, and I1 to I6 on each. What stands in this
 * folder's README about the gate's choices is held against what it did.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillWords, stepsOf } from "./harness/bytes.ts";
import { casesOf } from "./harness/case.ts";
import { type Choice, choiceOf, choicesInReadme, writeChoices } from "./harness/choices.ts";
import { checksOf, clausesOf, wishesOf } from "./harness/checks.ts";
import { brokenInvariants, secretsIn } from "./harness/invariants.ts";
import { Lanes } from "./harness/lanes.ts";
import { observeCase } from "./harness/observe.ts";

const LANES = 4;

const cases = casesOf("wire");
const choices = new Map<string, Choice>();
let lanes: Lanes;

beforeAll(async () => {
  lanes = await Lanes.open(LANES);
});

afterAll(async () => {
  await lanes[Symbol.asyncDispose]();
});

describe.concurrent("a client sends", () => {
  test.for(cases)("$id $note", { timeout: 120_000 }, async ({ id, raw, expect: expected }, { expect }) => {
    await lanes.on(async (scene) => {
      const { words } = scene;
      const clauses = clausesOf(fillWords(expected, words));
      const seen = await observeCase(scene, stepsOf(raw, words), wishesOf(clauses));
      choices.set(id, choiceOf(clauses, seen));
      const failed = [...checksOf(clauses).checks]
        .map(([clause, check]) => ({ clause, verdict: check(seen) }))
        .filter(({ verdict }) => verdict !== undefined);
      expect([...failed, ...brokenInvariants(seen, words)], seen.received.slice(0, 300)).toEqual([]);
    });
  });
});

describe("over all cases", () => {
  test("no clause is left to people", () => {
    const words = lanes.scenes[0]?.words ?? {};
    const left = cases.flatMap(({ id, expect: expected }) =>
      checksOf(clausesOf(fillWords(expected, words))).forPeople.map((clause) => `${id}: ${clause}`),
    );
    expect(left).toEqual([]);
  });

  test("the README says what the gate chose, wherever a case leaves a choice", () => {
    const chosen = cases.flatMap(({ id }) => {
      const choice = choices.get(id);
      return choice?.isFree === true ? [{ id, answer: choice.answer }] : [];
    });
    if (choices.size < cases.length) return;
    if (process.env["KEYWARD_WRITE_CHOICES"] !== undefined) writeChoices(cases, chosen);
    expect(choicesInReadme()).toEqual(chosen);
  });

  test("no key stands in anything that the gates wrote", async () => {
    await lanes.stop();
    for (const { gate, words } of lanes.scenes) expect(secretsIn(gate.output, words)).toEqual([]);
    expect(lanes.output).toContain('"msg":"request"');
  });
});
