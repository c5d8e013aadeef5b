/** Reading, changing and ending keys. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { formatInstant } from "../../../src/keys/life-cycle.ts";
import { startRegistry } from "../../support/registry-scene.ts";

interface Page {
  readonly items: readonly { readonly id: string; readonly [field: string]: unknown }[];
  readonly next: string | null;
}

test("a key is shown with its status, its last use and without secret or digest", async () => {
  await using registry = await startRegistry();
  const { id, secret } = await registry.makeKey({ name: "shown" });
  const at = formatInstant(Date.now() - 60_000);
  await registry.call("POST /v1/gate/usage", {
    role: "gate",
    json: {
      gate: "g1",
      boot: "b1",
      seq: 1,
      from: at,
      to: at,
      items: [
        {
          key_id: id,
          route: "r",
          requests: 1,
          denied: {},
          errors: 0,
          bytes_in: 0,
          bytes_out: 0,
          last_used_at: at,
        },
      ],
    },
  });
  const shown = await registry.call(`GET /v1/api-keys/${id}`);
  expect(shown.status).toBe(200);
  expect(shown.json()).toMatchObject({ id, name: "shown", status: "active" });
  expect(Date.parse((shown.json() as { last_used_at: string }).last_used_at)).toBe(Date.parse(at));
  expect(shown.text).not.toContain(secret);
  expect(shown.text).not.toContain("sha256:");
});

test("lists filter by owner, environment, status and text", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const a = await registry.makeKey({
    organization: "org_a",
    project: "p1",
    environment: "live",
    name: "Alpha",
  });
  const b = await registry.makeKey({ organization: "org_b", environment: "test", name: "Beta" });
  const soon = await registry.makeKey({ organization: "org_b", expires_in_days: 1, name: "Gamma" });
  await registry.call(`DELETE /v1/api-keys/${b.id}`);
  clock.advance(2 * 86_400_000);
  const ids = async (query: string): Promise<string[]> => {
    const answer = await registry.call(`GET /v1/api-keys?${query}`);
    expect(answer.status, query).toBe(200);
    return (answer.json() as Page).items.map(({ id }) => id).toSorted();
  };
  expect(await ids("organization=org_a")).toEqual([a.id]);
  expect(await ids("project=p1")).toEqual([a.id]);
  expect(await ids("environment=test")).toEqual([b.id]);
  expect(await ids("status=revoked")).toEqual([b.id]);
  expect(await ids("status=expired")).toEqual([soon.id]);
  expect(await ids("status=active")).toEqual([a.id]);
  expect(await ids("search=ALPH")).toEqual([a.id]);
  expect(await ids("organization=org_b&status=active")).toEqual([]);
});

test("a change takes effect field by field, null takes a field away, and the audit log says from what to what", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey({ name: "before", scopes: ["read"], folders: ["f1"] });
  const changed = await registry.call(`PATCH /v1/api-keys/${id}`, {
    json: { name: "after", scopes: ["write"], folders: null, expires_at: "2090-01-01T00:00:00Z" },
  });
  expect(changed.json()).toMatchObject({
    name: "after",
    scopes: ["write"],
    expires_at: "2090-01-01T00:00:00Z",
  });
  expect(changed.json()).not.toHaveProperty("folders");
  const audit = await registry.call(`GET /v1/audit?subject=${id}&action=key.update`);
  expect((audit.json() as Page).items[0]?.["details"]).toEqual({
    name: { from: "before", to: "after" },
    scopes: { from: ["read"], to: ["write"] },
    folders: { from: ["f1"], to: null },
    expires_at: { from: null, to: "2090-01-01T00:00:00Z" },
  });
});

test("a change that changes nothing takes no revision and leaves no trace", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey({ name: "same" });
  const before = await registry.store.cursor();
  const answer = await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "same" } });
  expect(answer.status).toBe(200);
  expect(await registry.store.cursor()).toEqual(before);
});

test("revoking is for good, and again it changes nothing", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const { id } = await registry.makeKey();
  const first = await registry.call(`DELETE /v1/api-keys/${id}`);
  expect(first.json()).toMatchObject({ status: "revoked", revoked_at: "2026-11-21T12:00:00Z" });
  const before = await registry.store.cursor();
  clock.advance(60_000);
  const second = await registry.call(`DELETE /v1/api-keys/${id}`);
  expect(second.json()).toEqual(first.json());
  expect(await registry.store.cursor()).toEqual(before);
});

test("an expiry that was set too early can be moved, also when it has passed", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const { id } = await registry.makeKey({ expires_in_days: 1 });
  clock.advance(2 * 86_400_000);
  expect((await registry.call(`GET /v1/api-keys/${id}`)).json()).toMatchObject({ status: "expired" });
  const moved = await registry.call(`PATCH /v1/api-keys/${id}`, { json: { expires_at: null } });
  expect(moved.json()).toMatchObject({ status: "active" });
});

test("a token asks who it is", async () => {
  await using registry = await startRegistry();
  const me = await registry.call("GET /v1/me", { role: "viewer" });
  expect(me.json()).toMatchObject({ name: "test viewer", role: "viewer" });
});

test("a digest leads to its key; one that no key has leads to nothing", async () => {
  await using registry = await startRegistry();
  const { id, secret } = await registry.makeKey({ name: "found" });
  const lookUp = (digest: string) =>
    registry.call("POST /v1/api-keys/lookup", { role: "viewer", json: { digest } });
  const found = await lookUp(formatDigest(digestOf(secret)));
  expect(found.json()).toMatchObject({ key: { id, name: "found", status: "active" } });
  expect(found.text).not.toContain(formatDigest(digestOf(secret)));
  expect((await lookUp(formatDigest(digestOf("another")))).json()).toEqual({ key: null });
  const faulty = await lookUp(secret);
  expect([faulty.status, faulty.text.includes(secret)]).toEqual([422, false]);
  expect(faulty.json()).toMatchObject({ code: "field_invalid", errors: [{ pointer: "/digest" }] });
});
