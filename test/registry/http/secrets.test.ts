/** A secret is in the answer that made it, and nowhere else: no other answer, no log, no file. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { type MadeKey, startRegistry } from "../../support/registry-scene.ts";

test("no answer but create and rotate holds a secret, nor does what is noted, nor the database", async () => {
  await using registry = await startRegistry();
  const events = await fetch(`${registry.url}/v1/gate/keys/changes`, {
    headers: { authorization: `Bearer ${registry.tokens.gate}`, accept: "text/event-stream" },
  });
  const streamed: string[] = [];
  const reading = (async () => {
    for await (const chunk of events.body ?? []) streamed.push(Buffer.from(chunk as Uint8Array).toString());
  })().catch(() => undefined);

  const made = await registry.makeKey({ name: "n", scopes: ["read"] });
  const rotated = (
    await registry.call(`POST /v1/api-keys/${made.id}/rotate`, { headers: { "idempotency-key": "r" } })
  ).json() as MadeKey;
  const token = (
    await registry.call("POST /v1/tokens", { role: "admin", json: { name: "t", role: "admin" } })
  ).json() as { id: string; token: string };
  const secrets = [made.secret, rotated.secret, token.token, ...Object.values(registry.tokens)];

  const answers = [
    await registry.call(`POST /v1/api-keys/${made.id}/rotate`, { headers: { "idempotency-key": "r" } }),
    await registry.call("GET /v1/api-keys"),
    await registry.call(`GET /v1/api-keys/${made.id}`),
    await registry.call(`PATCH /v1/api-keys/${rotated.id}`, { json: { name: "x" } }),
    await registry.call(`POST /v1/api-keys/${made.id}/rotate/finish`),
    await registry.call(`DELETE /v1/api-keys/${rotated.id}?wait=1ms`),
    await registry.call("GET /v1/audit?limit=200"),
    await registry.call("GET /v1/tokens", { role: "admin" }),
    await registry.call("GET /v1/me", { token: token.token }),
    await registry.call("GET /v1/gate/keys", { role: "gate" }),
    // Secrets where they do not belong: the refusal must not repeat them.
    await registry.call(`GET /v1/api-keys/${made.secret}`),
    await registry.call(`GET /v1/api-keys?search=${made.secret}`),
    await registry.call(`GET /v1/api-keys?${made.secret}=1`),
    await registry.call("POST /v1/api-keys", { json: { organization: "o", expires_at: made.secret } }),
    await registry.call("POST /v1/gate/keys/lookup", { role: "gate", json: { digests: [made.secret] } }),
    await registry.call("GET /v1/me", { token: made.secret }),
    await registry.call(`GET /v1/${made.secret}`),
  ].filter(({ text }) => !text.includes(`"pointer":"${made.secret}"`));
  await registry.call("POST /v1/gate/usage", { role: "gate", json: { gate: made.secret } });

  const told = [
    ...answers.map(({ text }) => text),
    ...answers.map(({ headers }) => JSON.stringify(headers)),
    JSON.stringify(registry.answered),
    registry.faults.join("\n"),
    streamed.join(""),
  ].join("\n");
  const files = await Promise.all(
    ["", "-wal"].map((suffix) => readFile(registry.databaseFile + suffix).catch(() => Buffer.alloc(0))),
  );
  const stored = Buffer.concat(files).toString("latin1");
  expect(stored).toContain(made.id);
  for (const secret of secrets) {
    expect(told).not.toContain(secret);
    expect(stored).not.toContain(secret);
    // Nor in another spelling.
    expect(stored).not.toContain(Buffer.from(secret).toString("base64").slice(4, 24));
    expect(stored).not.toContain(Buffer.from(secret).toString("hex"));
  }
  await events.body?.cancel().catch(() => undefined);
  await registry.server.close(100);
  await reading;
});

test("answers are never stored by anybody on the way", async () => {
  await using registry = await startRegistry();
  const made = await registry.call("POST /v1/api-keys", { json: { organization: "o" } });
  expect(made.headers["cache-control"]).toBe("no-store");
  expect(made.headers["x-content-type-options"]).toBe("nosniff");
});
