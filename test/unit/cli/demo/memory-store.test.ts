/** The demo's store keeps tenants apart and stays within its bounds. */
import { expect, test } from "vitest";
import {
  MEMORIES_MAX,
  type Memory,
  MemoryStore,
  type Tenant,
} from "../../../../src/cli/demo/memory-store.ts";

const acme: Tenant = { organization: "org_acme", project: "proj_a" };
const sibling: Tenant = { organization: "org_acme", project: "proj_b" };

function makeStore(): MemoryStore {
  return new MemoryStore(() => Date.UTC(2026, 0, 1));
}

test("what one project adds, its sibling neither lists, reads, finds, removes nor hears", () => {
  const store = makeStore();
  const heard: Memory[] = [];
  store.listen(sibling, (memory) => heard.push(memory));
  const memory = store.add(acme, "tea", undefined);
  expect(memory).toEqual({ id: "m_1", text: "tea", created_at: "2026-01-01T00:00:00.000Z" });
  expect(store.list(sibling)).toEqual([]);
  expect(store.get(sibling, "m_1")).toBeUndefined();
  expect(store.search(sibling, "tea")).toEqual([]);
  expect(store.remove(sibling, "m_1")).toBe(false);
  expect(heard).toEqual([]);
  expect(store.list(acme)).toEqual([memory]);
});

test("ids that run together are different tenants", () => {
  const store = makeStore();
  store.add({ organization: "a", project: "b,c" }, "text", undefined);
  expect(store.list({ organization: "a,b", project: "c" })).toEqual([]);
});

test("the best match comes first", () => {
  const store = makeStore();
  store.add(acme, "Ada prefers tea", "ada");
  store.add(acme, "Grace prefers green tea", "grace");
  expect(store.search(acme, "green TEA").map(({ id, score }) => ({ id, score }))).toEqual([
    { id: "m_2", score: 1 },
    { id: "m_1", score: 0.5 },
  ]);
});

test("a full project takes no more, and another one still does", () => {
  const store = makeStore();
  for (let n = 0; n < MEMORIES_MAX; n++) expect(store.add(acme, "text", undefined)).toBeDefined();
  expect(store.add(acme, "one more", undefined)).toBeUndefined();
  expect(store.add(sibling, "text", undefined)).toBeDefined();
});

test("tenants and listeners are bounded, and a listener that left makes room", () => {
  const store = makeStore();
  const stops = Array.from({ length: 200 }, () => store.listen(acme, () => undefined));
  const taken = stops.filter((stop) => stop !== undefined);
  expect(taken.length).toBeLessThan(200);
  taken[0]?.();
  expect(store.listen(acme, () => undefined)).toBeDefined();
  const spaces = Array.from({ length: 200 }, (_, n) =>
    store.add({ organization: `o${n}`, project: "p" }, "x", undefined),
  );
  expect(spaces.filter((memory) => memory !== undefined).length).toBeLessThan(200);
});
