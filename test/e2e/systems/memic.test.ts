/** Memic: context from the key alone, folders instead of scopes, and an end of keys that is felt at once. */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runChild } from "../../support/child.ts";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { launcher } from "../../support/gate-process.ts";
import { ask, open } from "../../support/http-client.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemScene, startSystem } from "../../support/system-scene.ts";
import { waitFor, within } from "../../support/wait-for.ts";

const INVALID = '{"detail":"Invalid or revoked API key"}';
/** From the change of the key file to the first 401. */
const REVOKED_WITHIN_MS = 2000;

const doomed = (what: string): KeyFixture =>
  makeKey({ id: `key_${what}`, secret: `mk_live_EXAMPLE-to-be-${what}`, scopes: [] });
const revoked = doomed("revoked");
const removed = doomed("removed");
const streaming = doomed("cut_off");
const alsoStreaming = doomed("cut_off_too");
let scene: SystemScene;

beforeAll(async () => {
  scene = await startSystem("memic", [revoked, removed, streaming, alsoStreaming]);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const apiKey = (secret: string) => ({ "x-api-key": secret });

test("GET /api/v1/me tells organization, project and environment, with ids and names", async () => {
  const answer = await scene.ask("/api/v1/me", { headers: apiKey(scene.example("key_acme_research")) });
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/json");
  expect(answer.json()).toEqual({
    key_id: "key_acme_research",
    name: "Research assistant",
    organization: { id: "org_acme", name: "Acme Corp" },
    project: { id: "proj_tech", name: "Tech companies" },
    environment: "live",
    environment_name: "Production",
    scopes: [],
  });
  expect(await scene.arrived()).toEqual([]);
});

test("the context follows from the key alone, whatever the client says", async () => {
  const spoofed = { "x-org-id": "org_globex", "x-project-id": "proj_other", "x-folder-ids": "fld_secret" };
  const headers = { ...apiKey(scene.example("key_acme_research")), ...spoofed };
  const me = await scene.ask("/api/v1/me?organization_id=org_globex", { headers });
  expect(me.json()).toMatchObject({ organization: { id: "org_acme" }, project: { id: "proj_tech" } });
  expect((await scene.ask("/api/v1/files?organization_id=org_globex", { headers })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-org-id")).toBe("org_acme");
  expect(headerOf(arrival, "x-project-id")).toBe("proj_tech");
  expect(headerOf(arrival, "x-folder-ids")).toBeUndefined();
});

test("a key that is confined to folders says so to the backend and in /me", async () => {
  const headers = apiKey(scene.example("key_acme_contractor"));
  expect((await scene.ask("/api/v1/search", { method: "POST", headers, body: "{}" })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-folder-ids")).toBe("fld_reports,fld_press");
  const me = await scene.ask("/api/v1/me", { headers });
  expect(me.json()).toMatchObject({
    folders: ["fld_reports", "fld_press"],
    expires_at: "2099-01-01T00:00:00.000Z",
  });
});

test.for(["GET", "POST", "PUT", "PATCH", "DELETE"])(
  "no scopes: any key may %s under /api/v1",
  async (method) => {
    const headers = apiKey(scene.example("key_acme_contractor"));
    for (const path of ["/api/v1/files", "/api/v1/files/f_1/status", "/api/v1/search"]) {
      expect((await scene.ask(path, { method, headers })).status, path).toBe(200);
    }
    expect(await scene.arrived()).toHaveLength(3);
  },
);

test("/api/v1/me is read only", async () => {
  const headers = apiKey(scene.example("key_acme_research"));
  const head = await scene.ask("/api/v1/me", { method: "HEAD", headers });
  expect([head.status, head.text]).toEqual([200, ""]);
  expect(await scene.arrived()).toEqual([]);
});

async function revokeByCommand(id: string): Promise<void> {
  const command = [launcher, "keys", "revoke", id, "--file", scene.keysFile];
  const { code, stderr } = await runChild(process.execPath, command);
  expect(code, stderr).toBe(0);
}

async function removeFromFile(id: string): Promise<void> {
  const text = await readFile(scene.keysFile, "utf8");
  const items = text.split(/^(?= {2}- id: )/m);
  const rest = items.filter((item) => !item.startsWith(`  - id: ${id}\n`));
  expect(rest).toHaveLength(items.length - 1);
  await writeFile(scene.keysFile, rest.join(""));
}

describe.for([
  { how: "revoked with keyward keys revoke", key: revoked, end: revokeByCommand },
  { how: "taken out of the key file", key: removed, end: removeFromFile },
])("a key that is $how", ({ key, end }) => {
  test("is refused within two seconds, while its request under way finishes", async () => {
    const headers = apiKey(key.secret);
    const slow = ask(`${scene.gate.url}/api/v1/search`, {
      method: "POST",
      headers: { ...headers, "x-test-hold": "1" },
      body: '{"query":"tea"}',
    });
    const held = await waitFor("the slow request to arrive", async () => (await scene.arrived())[0]);
    expect(headerOf(held, "x-key-id")).toBe(key.record.id);
    expect((await scene.ask("/api/v1/files", { headers })).status).toBe(200);
    await scene.arrived();

    await end(key.record.id);
    const refusal = await waitFor(
      "the first 401",
      async () => {
        const answer = await scene.ask("/api/v1/files", { headers });
        return answer.status === 401 && answer;
      },
      { deadlineMs: REVOKED_WITHIN_MS },
    );
    expect(refusal.text).toBe(INVALID);
    await scene.arrived();
    for (const path of ["/api/v1/me", "/api/v1/files"]) {
      expect((await scene.ask(path, { headers })).status, path).toBe(401);
    }
    expect(await scene.arrived()).toEqual([]);

    await scene.backend.release();
    const finished = await slow;
    expect(finished.status).toBe(200);
    expect(finished.json()).toEqual({ served: "POST /api/v1/search" });
  });

  test("takes no other key with it", async () => {
    const headers = apiKey(scene.example("key_acme_research"));
    expect((await scene.ask("/api/v1/files", { headers })).status).toBe(200);
    await scene.arrived();
  });
});

test.for([
  { how: "revoked", key: streaming, end: revokeByCommand },
  { how: "taken out", key: alsoStreaming, end: removeFromFile },
])("an event stream is not left to finish: it is cut when its key is $how", async ({ key, end }) => {
  const headers = { ...apiKey(key.secret), "x-test-stream": "1" };
  const { status, stream } = await open(`${scene.gate.url}/api/v1/events`, { headers });
  expect(status).toBe(200);
  let received = "";
  const ended = new Promise<string>((resolve) => {
    stream.on("data", (bytes: Buffer) => (received += bytes.toString()));
    stream.once("end", () => resolve("as if it were whole"));
    stream.once("error", () => resolve("cut"));
  });
  await waitFor("the first event", () => received === "data: first\n\n");
  await end(key.record.id);
  expect(await within("the end of the stream", ended, REVOKED_WITHIN_MS)).toBe("cut");
});
