/** Callers take turns, however many each has waiting. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "../../../src/gate/fair-queue.ts";

interface Item {
  readonly caller: string;
  readonly name: string;
}

const item = (name: string): Item => ({ caller: name.slice(0, 1), name });

function queueOf(...names: readonly string[]): FairQueue<Item> {
  const queue = new FairQueue<Item>();
  for (const name of names) queue.add(item(name));
  return queue;
}

function takeAll(queue: FairQueue<Item>): readonly string[] {
  const names: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) names.push(next.name);
  return names;
}

test("those of one caller come in the order in which they came", () => {
  expect(takeAll(queueOf("a1", "a2", "a3"))).toEqual(["a1", "a2", "a3"]);
});

test("the first of a second caller is next but one, whatever the first has waiting", () => {
  expect(takeAll(queueOf("a1", "a2", "a3", "b1", "c1", "c2"))).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"]);
});

test("a caller whose line is empty takes its turn behind the others when it comes again", () => {
  const queue = queueOf("a1", "b1", "b2");
  expect(queue.take()?.name).toBe("a1");
  queue.add(item("a2"));
  expect(takeAll(queue)).toEqual(["b1", "a2", "b2"]);
});

test("who was taken out is gone, and taking out twice does nothing", () => {
  const queue = new FairQueue<Item>();
  const [first, second] = [item("a1"), item("a2")];
  queue.add(first);
  queue.add(second);
  expect(queue.delete(first)).toBe(true);
  expect(queue.delete(first)).toBe(false);
  expect(queue.delete(item("a2"))).toBe(false);
  expect(queue.size).toBe(1);
  expect(takeAll(queue)).toEqual(["a2"]);
  expect(queue.size).toBe(0);
});

test("the longest line is the caller's who has the most, longest waiting first", () => {
  const queue = queueOf("a1", "b1", "b2", "c1");
  expect(queue.longest().map(({ name }) => name)).toEqual(["b1", "b2"]);
  expect([queue.lengthFor("a"), queue.lengthFor("b"), queue.lengthFor("z")]).toEqual([1, 2, 0]);
  expect(new FairQueue<Item>().longest()).toEqual([]);
});

test("nobody is lost, nobody comes twice, and nobody waits for more than one of each other caller", () => {
  const names = fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(50)), {
    selector: ([caller, n]) => `${caller}${n}`,
    maxLength: 40,
  });
  fc.assert(
    fc.property(names, (drawn) => {
      const added = drawn.map(([caller, n]) => `${caller}${n}`);
      const taken = takeAll(queueOf(...added));
      expect(taken.toSorted()).toEqual(added.toSorted());
      for (const caller of ["a", "b", "c", "d"]) {
        const places = taken.flatMap((name, at) => (name.startsWith(caller) ? [at] : []));
        const callers = new Set(added.map((name) => name.slice(0, 1))).size;
        for (const [i, place] of places.entries()) {
          expect(place - (places[i - 1] ?? -1)).toBeLessThanOrEqual(callers);
        }
      }
    }),
  );
});
