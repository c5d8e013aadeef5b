/** Usage in the name of a key: of its organization and project alone, live apart from test. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { type MadeKey, startRegistry } from "../../support/registry-scene.ts";

const START_MS = Date.parse("2027-03-01T12:00:00Z");
const ADMIN = { environment: "live", scopes: ["admin"] };

test("usage: live apart from test, of the caller's organization and project alone", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const live = await registry.makeKey({ ...ADMIN, project: "proj_tech" });
  const tests = await registry.makeKey({ environment: "test", scopes: ["admin"], project: "proj_tech" });
  const sales = await registry.makeKey({ environment: "live", project: "proj_sales" });
  const whole = await registry.makeKey({ scopes: ["admin"] });
  const globex = await registry.makeKey({ ...ADMIN, organization: "org_globex" });
  const at = new Date(START_MS).toISOString();
  const items = [live, tests, sales, globex].map(({ id }, index) => ({
    key_id: id,
    route: "/",
    requests: 10 ** index,
    denied: {},
    errors: 0,
    bytes_in: 0,
    bytes_out: 0,
    last_used_at: at,
  }));
  const batch = { gate: "g", boot: "b", seq: 1, from: at, to: at, items };
  expect((await registry.call("POST /v1/gate/usage", { role: "gate", json: batch })).status).toBe(200);
  clock.advance(60_000);
  const used = async (caller: MadeKey, query = ""): Promise<unknown> => {
    const answer = await registry.call(`GET /v1/gate/callers/${caller.id}/usage${query}`, { role: "gate" });
    if (answer.status !== 200) return answer.status;
    return (answer.json() as { total: { requests: number } }).total.requests;
  };
  expect(await used(live)).toBe(1);
  expect(await used(live, "?environment=test")).toBe(10);
  expect(await used(tests)).toBe(10);
  expect(await used(tests, "?environment=live")).toBe(404);
  expect(await used(live, "?project=proj_sales")).toBe(404);
  expect(await used(live, `?key=${sales.id}`)).toBe(404);
  expect(await used(whole)).toBe(111);
  expect(await used(whole, "?environment=live")).toBe(101);
  expect(await used(whole, "?project=proj_sales&group_by=key")).toBe(100);
  expect(await used(whole, `?key=${globex.id}`)).toBe(404);
  expect(await used(whole, "?organization=org_globex")).toBe(400);
  expect(await used(whole, "?from=2020-01-01T00:00:00Z&step=minute")).toBe(400);
  const groups = await registry.call(`GET /v1/gate/callers/${whole.id}/usage`, { role: "gate" });
  expect(
    (groups.json() as { items: { group: string }[] }).items.map(({ group }) => group).toSorted(),
  ).toEqual([live.id, tests.id, sales.id].toSorted());
  const one = await registry.call(`GET /v1/gate/callers/${live.id}/api-keys/${tests.id}/usage`, {
    role: "gate",
  });
  expect(one.json()).toMatchObject({ total: { requests: 10 }, group_by: "none" });
});

test("a key that is confined to folders sees the usage of keys one by one", async () => {
  await using registry = await startRegistry();
  const confined = await registry.makeKey({ ...ADMIN, folders: ["fld_1", "fld_2"] });
  const inside = await registry.makeKey({ environment: "live", folders: ["fld_1"] });
  const outside = await registry.makeKey({ environment: "live", folders: ["fld_3"] });
  const at = new Date().toISOString();
  const items = [confined, inside, outside].map(({ id }, index) => ({
    key_id: id,
    route: "/",
    requests: 10 ** index,
    denied: {},
    errors: 0,
    bytes_in: 0,
    bytes_out: 0,
    last_used_at: at,
  }));
  const json = { gate: "g", boot: "b", seq: 1, from: at, to: at, items };
  expect((await registry.call("POST /v1/gate/usage", { role: "gate", json })).status).toBe(200);
  const ask = (query: string) =>
    registry.call(`GET /v1/gate/callers/${confined.id}/usage${query}`, { role: "gate" });
  const later = new Date(Date.now() + 60_000).toISOString();
  const used = async (key: string): Promise<unknown> => {
    const answer = await ask(`?to=${later}${key}`);
    return answer.status === 200
      ? (answer.json() as { total: { requests: number } }).total.requests
      : answer.status;
  };
  expect([await used(""), await used(`&key=${inside.id}`), await used(`&key=${outside.id}`)]).toEqual([
    1, 10, 404,
  ]);
});
