import { describe, expect, test } from "vitest";
import {
  type Family,
  type FamilyKind,
  labelText,
  mergeFamilies,
  retired,
  seriesName,
} from "../../../src/observe/exposition.ts";

describe("series names", () => {
  test("labels are written in the order given, values in quotes", () => {
    expect(seriesName("x_total", { route: "GET /v1/{id}", code: "200" })).toBe(
      'x_total{route="GET /v1/{id}",code="200"}',
    );
  });

  test("no labels, no braces", () => {
    expect(seriesName("x_total")).toBe("x_total");
  });

  test("quotes, backslashes and line feeds cannot end a value", () => {
    expect(labelText({ route: 'a"} 1\nforged{b="\\' })).toBe('route="a\\"} 1\\nforged{b=\\"\\\\"');
  });

  test("values with commas and colons do not collide as they do in prom-client 15", () => {
    expect(labelText({ a: "x,b:y", b: "z" })).not.toBe(labelText({ a: "x", b: "y,b:z" }));
  });
});

describe("families of several workers", () => {
  const kind = (name: string, type: FamilyKind["type"], merge: FamilyKind["merge"]): FamilyKind => ({
    name,
    type,
    merge,
    help: "Test.",
    labels: [],
  });
  const kinds = [
    kind("n_total", "counter", "sum"),
    kind("now", "gauge", "sum"),
    kind("used", "gauge", "max"),
    kind("ok", "gauge", "min"),
  ];
  const worker = (count: number, now: number, used: number, ok: number): Family[] => [
    { name: "n_total", samples: [['n_total{a="1"}', count]] },
    { name: "now", samples: [["now", now]] },
    { name: "used", samples: [["used", used]] },
    { name: "ok", samples: [["ok", ok]] },
  ];
  const valuesOf = (families: readonly Family[]): Record<string, number> =>
    Object.fromEntries(families.flatMap((family) => family.samples));

  test("each series is summed, or its greatest or least value taken, as its kind says", () => {
    expect(valuesOf(mergeFamilies(kinds, [worker(3, 1, 100, 1), worker(4, 2, 90, 0)]))).toEqual({
      'n_total{a="1"}': 7,
      now: 3,
      used: 100,
      ok: 0,
    });
  });

  test("series that only one worker has are kept", () => {
    const alone = [{ name: "n_total", samples: [['n_total{a="2"}', 5]] }] satisfies Family[];
    expect(valuesOf(mergeFamilies(kinds, [worker(3, 1, 1, 1), alone]))).toMatchObject({
      'n_total{a="1"}': 3,
      'n_total{a="2"}': 5,
    });
  });

  test("counts of a worker that ended stay, its gauges go", () => {
    const ended = retired(kinds, worker(10, 8, 100, 0));
    expect(valuesOf(mergeFamilies(kinds, [ended, worker(1, 2, 50, 1)]))).toEqual({
      'n_total{a="1"}': 11,
      now: 2,
      used: 50,
      ok: 1,
    });
  });

  test("a time at which a key was used stays when the worker that saw it ends", () => {
    const lasting = kinds.map((each) =>
      each.name === "used" ? { ...each, outlivesProcess: true as const } : each,
    );
    const ended = retired(lasting, worker(10, 8, 100, 0));
    expect(valuesOf(mergeFamilies(lasting, [ended, worker(1, 2, 50, 1)]))).toMatchObject({
      used: 100,
      now: 2,
    });
  });

  test("a snapshot survives the way to another process", () => {
    const families = worker(3, 1, 100, 1);
    expect(mergeFamilies(kinds, [JSON.parse(JSON.stringify(families)) as Family[]])).toEqual(families);
  });
});
