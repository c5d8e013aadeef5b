/** GET keys: whole, provable, consistent, compressed when asked, not sent when nothing changed. */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { systemRandom } from "../../../src/base/random.ts";
import { createKey } from "../../../src/keys/life-cycle.ts";
import type { Answer } from "../../support/http-client.ts";
import { open } from "../../support/http-client.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

interface Parsed {
  readonly head: {
    readonly kind: string;
    readonly epoch: string;
    readonly rev: number;
    readonly count: number;
  };
  readonly lines: readonly { readonly id: string; readonly [field: string]: unknown }[];
}

/** Reads it by the letter of the protocol, with nothing of the gate's own reader. */
function parse(text: string): Parsed {
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  const head = JSON.parse(lines.shift() ?? "") as Parsed["head"];
  const end = JSON.parse(lines.pop() ?? "") as Record<string, unknown>;
  const body = lines.map((line) => `${line}\n`).join("");
  expect(end).toEqual({
    kind: "end",
    rev: head.rev,
    count: lines.length,
    sha256: createHash("sha256").update(body).digest("hex"),
  });
  expect(head.count).toBe(lines.length);
  return { head, lines: lines.map((line) => JSON.parse(line) as Parsed["lines"][number]) };
}

/** Some 14 MB for two thousand. */
async function addKeys({ store }: RegistryScene, count: number): Promise<void> {
  const folders = Array.from({ length: 64 }, (_, i) => `folder_${i}_${"x".repeat(100)}`);
  const details = { organization: { id: "org_acme" }, scopes: [], folders };
  const nowMs = Date.now();
  const records = Array.from({ length: count }, (_, i) =>
    createKey(details, { secret: `kw_${i}`, nowMs, random: systemRandom }),
  );
  const writes = records.map((record) => ({ record, expected: "new", op: "upsert" }) as const);
  await store.writeKeys(writes, [], nowMs);
}

const tagOf = ({ headers }: Answer): string => headers.etag ?? "";

test("an empty registry gives an empty snapshot", async () => {
  await using registry = await startRegistry();
  const { head, lines } = parse((await registry.call("GET /v1/gate/keys", { role: "gate" })).text);
  expect(head).toMatchObject({ kind: "snapshot", rev: 0, count: 0 });
  expect(lines).toEqual([]);
});

test("the snapshot holds every key, ended ones too, and its ETag is the cursor", async () => {
  await using registry = await startRegistry();
  const kept = await registry.makeKey();
  const gone = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${gone.id}`);
  const answer = await registry.call("GET /v1/gate/keys", { role: "gate" });
  const { head, lines } = parse(answer.text);
  expect(lines.map(({ id }) => id).toSorted()).toEqual([kept.id, gone.id].toSorted());
  expect(lines.find(({ id }) => id === gone.id)).toHaveProperty("revoked_at");
  expect(tagOf(answer)).toBe(`"${head.epoch}:${head.rev}"`);
  expect(head.rev).toBe(3);
  expect(answer.headers["content-type"]).toBe("application/x-ndjson");
});

test("gzip gives the same bytes, and only to those who take it", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const plain = await registry.call("GET /v1/gate/keys", { role: "gate" });
  const refused = await registry.call("GET /v1/gate/keys", {
    role: "gate",
    headers: { "accept-encoding": "gzip;q=0" },
  });
  expect(refused.headers["content-encoding"]).toBeUndefined();
  const stream = await open(`${registry.url}/v1/gate/keys`, {
    key: registry.tokens.gate,
    headers: { "accept-encoding": "br, gzip" },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of stream.stream) chunks.push(chunk as Buffer);
  expect(stream.headers["content-encoding"]).toBe("gzip");
  expect(stream.headers.vary).toContain("accept-encoding");
  expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe(plain.text);
});

test("If-None-Match with the current cursor gives 304 without a body, with any other the snapshot", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const tag = tagOf(await registry.call("GET /v1/gate/keys", { role: "gate" }));
  const get = (value: string) =>
    registry.call("GET /v1/gate/keys", { role: "gate", headers: { "if-none-match": value } });
  for (const value of [tag, `W/${tag}`, `"x", ${tag}`]) {
    const answer = await get(value);
    expect(answer.status, value).toBe(304);
    expect(tagOf(answer)).toBe(tag);
  }
  expect((await get('"other:1"')).status).toBe(200);
  await registry.makeKey();
  expect((await get(tag)).status).toBe(200);
});

test("a delta holds what changed, each key once as it now is", async () => {
  await using registry = await startRegistry();
  const before = await registry.makeKey({ name: "before" });
  const tag = tagOf(await registry.call("GET /v1/gate/keys", { role: "gate" })).replaceAll('"', "");
  const made = await registry.makeKey({ name: "made" });
  await registry.call(`PATCH /v1/api-keys/${before.id}`, { json: { name: "one" } });
  await registry.call(`PATCH /v1/api-keys/${before.id}`, { json: { name: "two" } });
  const { head, lines } = parse(
    (await registry.call(`GET /v1/gate/keys?since=${tag}`, { role: "gate" })).text,
  );
  expect(head).toMatchObject({ kind: "delta", rev: 4, count: 2 });
  expect(lines.map(({ id, name }) => [id, name])).toEqual([
    [made.id, "made"],
    [before.id, "two"],
  ]);
  const since = `${head.epoch}:${head.rev}`;
  const none = parse((await registry.call(`GET /v1/gate/keys?since=${since}`, { role: "gate" })).text);
  expect(none).toMatchObject({ head: { kind: "delta", rev: 4, count: 0 }, lines: [] });
});

test("a cursor of another history, from the future or too far back is 410, and one that is none 400", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 5; i++) await registry.makeKey();
  const { epoch } = await registry.store.cursor();
  await registry.store.compactChanges(2);
  const statusOf = async (since: string): Promise<number> =>
    (await registry.call(`GET /v1/gate/keys?since=${encodeURIComponent(since)}`, { role: "gate" })).status;
  expect(await statusOf("other:3")).toBe(410);
  expect(await statusOf(`${epoch}:99`)).toBe(410);
  expect(await statusOf(`${epoch}:1`)).toBe(410);
  expect(await statusOf(`${epoch}:4`)).toBe(200);
  for (const since of ["", "x", `${epoch}:-1`, `${epoch}:1.5`, ":1", "a b:1"]) {
    expect(await statusOf(since), since).toBe(400);
  }
  await registry.store.renewEpoch();
  const gone = await registry.call(`GET /v1/gate/keys?since=${epoch}:5`, { role: "gate" });
  expect([gone.status, gone.json()]).toMatchObject([410, { code: "history_gone" }]);
});

test("no more snapshots at once than the bound; a reader who leaves gives its place back", async () => {
  await using registry = await startRegistry({ gateApi: { snapshotsMax: 1 } });
  // More than fits between the two ends: it is under way as long as nobody reads.
  await addKeys(registry, 2000);
  const held = await open(`${registry.url}/v1/gate/keys`, { key: registry.tokens.gate });
  expect(held.status).toBe(200);
  const busy = await registry.call("GET /v1/gate/keys", { role: "gate" });
  expect([busy.status, busy.json()]).toMatchObject([503, { code: "busy" }]);
  expect(busy.headers["retry-after"]).toBeDefined();
  held.leave();
  await waitFor("the place to be free", async () => {
    const { status, text } = await registry.call("GET /v1/gate/keys", { role: "gate" });
    return status === 200 && parse(text).lines.length === 2000;
  });
  expect(registry.faults).toEqual([]);
});

test("a snapshot is of one revision, however much is written while it is read", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 50; i++) await registry.makeKey();
  const done = new AbortController();
  const writing = (async () => {
    while (!done.signal.aborted) await registry.makeKey();
  })();
  for (let round = 0; round < 10; round++) {
    const { head, lines } = parse((await registry.call("GET /v1/gate/keys", { role: "gate" })).text);
    // Each write so far made one key: the revision is their number.
    expect(lines.length).toBe(head.rev);
  }
  done.abort();
  await writing;
});
