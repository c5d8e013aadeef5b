/** A set whose members know their place: it holds what a Set would, also when it changes while it is walked. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SlotList } from "../../../src/gate/slot-list.ts";

interface Member {
  readonly name: number;
  slot?: number | undefined;
}

function members(count: number): Member[] {
  return Array.from({ length: count }, (_, name) => ({ name }));
}

test("it holds what a Set would after any additions and removals", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const all = members(10);
      const list = new SlotList<"slot", Member>("slot");
      const model = new Set<Member>();
      for (const [isAdded, at] of steps) {
        const member = all[at] ?? { name: -1 };
        if (isAdded) {
          list.add(member);
          model.add(member);
        } else {
          expect(list.delete(member)).toBe(model.delete(member));
        }
        expect(list.size).toBe(model.size);
      }
      expect(new Set(list.all())).toEqual(model);
    }),
  );
});

test("whoever is removed while it is walked is not met afterwards, and nobody is missed", () => {
  const all = members(6);
  const list = new SlotList<"slot", Member>("slot");
  for (const member of all) list.add(member);
  const met: number[] = [];
  list.forEach((member) => {
    met.push(member.name);
    // Itself, and one that is still to come.
    list.delete(member);
    const victim = all[2];
    if (member.name === 4 && victim !== undefined) list.delete(victim);
  });
  expect(met.toSorted((a, b) => a - b)).toEqual([0, 1, 3, 4, 5]);
  expect(list.size).toBe(0);
});
