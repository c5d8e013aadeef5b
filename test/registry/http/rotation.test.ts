/** Rotation: a successor, an overlap, and its end by time, by hand or by taking it back. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { type MadeKey, startRegistry } from "../../support/registry-scene.ts";

const START_MS = Date.parse("2026-11-21T12:00:00Z");
const HOUR_MS = 3_600_000;

test("the successor has owner, scopes and looks of the old key, which lives on for the overlap", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const old = await registry.makeKey({ prefix: "ctx", project: "p1", environment: "live", scopes: ["read"] });
  const answer = await registry.call(`POST /v1/api-keys/${old.id}/rotate`, { json: { overlap: "2h" } });
  expect(answer.status).toBe(201);
  const successor = answer.json() as MadeKey;
  expect(successor).toMatchObject({
    organization: { id: "org_acme" },
    project: { id: "p1" },
    environment: "live",
    scopes: ["read"],
    status: "active",
    previous: {
      id: old.id,
      status: "rotating",
      expires_at: "2026-11-21T14:00:00Z",
      rotated_at: "2026-11-21T12:00:00Z",
      successor: successor.id,
    },
  });
  expect(successor.secret).not.toBe(old.secret);
  expect(successor.secret.replace(/_[^_]+$/, "")).toBe(old.secret.replace(/_[^_]+$/, ""));
  clock.advance(2 * HOUR_MS);
  expect((await registry.call(`GET /v1/api-keys/${old.id}`)).json()).toMatchObject({ status: "expired" });
});

test("the overlap is a day when nothing is said, also without a body", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const { id } = await registry.makeKey();
  const answer = await registry.call(`POST /v1/api-keys/${id}/rotate`);
  expect(answer.json()).toMatchObject({ previous: { expires_at: "2026-11-22T12:00:00Z" } });
});

test("an overlap of nothing revokes the old key in the same moment", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  const answer = await registry.call(`POST /v1/api-keys/${id}/rotate`, { json: { overlap: "0s" } });
  expect(answer.json()).toMatchObject({ previous: { id, status: "revoked" } });
  const changes = await registry.store.changesSince(1, 10);
  expect(changes?.map(({ op, record }) => [op, record.id === id])).toEqual([
    ["upsert", false],
    ["revoke", true],
  ]);
});

test("a key rotates once; a revoked or expired one never", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const rotated = await registry.makeKey();
  await registry.call(`POST /v1/api-keys/${rotated.id}/rotate`);
  const revoked = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${revoked.id}`);
  const expired = await registry.makeKey({ expires_in_days: 1 });
  clock.advance(25 * HOUR_MS);
  for (const [{ id }, code] of [
    [expired, "key_expired"],
    [revoked, "key_revoked"],
  ] as const) {
    const answer = await registry.call(`POST /v1/api-keys/${id}/rotate`);
    expect([answer.status, answer.json()]).toMatchObject([409, { code }]);
  }
  const again = await registry.call(`POST /v1/api-keys/${rotated.id}/rotate`);
  expect(again.status).toBe(409);
});

test("two rotations at once make one successor", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => registry.call(`POST /v1/api-keys/${id}/rotate`)),
  );
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  expect(statuses).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
  expect(answers.filter(({ status }) => status === 409).map((answer) => answer.json())).toContainEqual(
    expect.objectContaining({ code: "key_rotated" }),
  );
  const list = (await registry.call("GET /v1/api-keys")).json() as { items: unknown[] };
  expect(list.items.length).toBe(2);
});

test("finish revokes the old key and leaves the successor", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  const successor = (await registry.call(`POST /v1/api-keys/${id}/rotate`)).json() as MadeKey;
  const finished = await registry.call(`POST /v1/api-keys/${id}/rotate/finish`);
  expect(finished.json()).toMatchObject({ id, status: "revoked" });
  expect((await registry.call(`GET /v1/api-keys/${successor.id}`)).json()).toMatchObject({
    status: "active",
  });
});

test.for([undefined, "2027-06-01T02:00:00+02:00"])(
  "cancel revokes the successor and gives the old key its own expiry back (%s)",
  async (expires_at) => {
    const clock = new ManualClock(START_MS);
    await using registry = await startRegistry({ clock });
    const made = await registry.makeKey({ name: "n", ...(expires_at !== undefined && { expires_at }) });
    const before = (await registry.call(`GET /v1/api-keys/${made.id}`)).json();
    const successor = (await registry.call(`POST /v1/api-keys/${made.id}/rotate`)).json() as MadeKey;
    clock.advance(HOUR_MS);
    const cancelled = await registry.call(`POST /v1/api-keys/${made.id}/rotate/cancel`);
    expect(cancelled.json()).toEqual(before);
    const gone = (await registry.call(`GET /v1/api-keys/${successor.id}`)).json();
    expect(gone).toMatchObject({ status: "revoked" });
    // And it can be rotated anew.
    expect((await registry.call(`POST /v1/api-keys/${made.id}/rotate`)).status).toBe(201);
  },
);

test("cancel and finish without a rotation, after its overlap or after the successor's own are refused", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const refuse = async (id: string, verb: string, code: string): Promise<void> => {
    const answer = await registry.call(`POST /v1/api-keys/${id}/rotate/${verb}`);
    expect([answer.status, answer.json()], verb).toMatchObject([409, { code }]);
  };
  const plain = await registry.makeKey();
  await refuse(plain.id, "cancel", "key_not_rotating");
  await refuse(plain.id, "finish", "key_not_rotating");
  const chained = await registry.makeKey();
  const next = (await registry.call(`POST /v1/api-keys/${chained.id}/rotate`)).json() as MadeKey;
  await registry.call(`POST /v1/api-keys/${next.id}/rotate`);
  await refuse(chained.id, "cancel", "key_rotated");
  const late = await registry.makeKey();
  await registry.call(`POST /v1/api-keys/${late.id}/rotate`, { json: { overlap: "1h" } });
  clock.advance(HOUR_MS);
  await refuse(late.id, "cancel", "key_not_rotating");
});

test("while a rotation lasts the old key's expiry is the rotation's", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await registry.call(`POST /v1/api-keys/${id}/rotate`);
  const answer = await registry.call(`PATCH /v1/api-keys/${id}`, { json: { expires_at: null } });
  expect([answer.status, answer.json()]).toMatchObject([409, { code: "key_rotated" }]);
  expect((await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "still named" } })).status).toBe(
    200,
  );
});

test("a rotated 90-day key gives a 90-day key, unless the call says otherwise", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const old = await registry.makeKey({ expires_in_days: 90 });
  clock.advance(80 * 24 * HOUR_MS);
  const successor = await registry.call(`POST /v1/api-keys/${old.id}/rotate`);
  expect(successor.json()).toMatchObject({
    expires_at: new Date(START_MS + 170 * 24 * HOUR_MS).toISOString().replace(".000", ""),
  });
  const other = await registry.makeKey();
  const shorter = await registry.call(`POST /v1/api-keys/${other.id}/rotate`, {
    json: { expires_in_days: 7 },
  });
  const endsMs = Date.parse((shorter.json() as { expires_at: string }).expires_at);
  expect(endsMs).toBe(clock.now() + 7 * 24 * HOUR_MS);
});
