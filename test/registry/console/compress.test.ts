/** What the console reads is compressed; what shows a secret never is. */
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { consoleOptions, ConsolePage } from "../../support/console-page.ts";
import { noteSecret } from "../../support/known-secrets.ts";
import { startRegistry } from "../../support/registry-scene.ts";

const KEYS = "GET /console/api/v1/api-keys";

test("a list is compressed as the browser takes it, and says the same", async () => {
  await using scene = await startRegistry({ console: consoleOptions });
  for (let index = 0; index < 20; index++) await scene.makeKey({ name: `Key ${index}` });
  const page = await ConsolePage.signedIn(scene.url, scene.tokens.operator);
  const plain = await page.send(KEYS);
  expect([plain.headers["content-encoding"], plain.headers["vary"]]).toEqual([undefined, "Accept-Encoding"]);
  const brotli = await page.send(KEYS, { headers: { "accept-encoding": "gzip, deflate, br" } });
  expect(brotli.headers["content-encoding"]).toBe("br");
  expect(brotliDecompressSync(brotli.body).toString()).toBe(plain.text);
  expect(brotli.body.byteLength).toBeLessThan(plain.body.byteLength / 3);
  const gzip = await page.send(KEYS, { headers: { "accept-encoding": "gzip, br;q=0" } });
  expect(gzip.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(gzip.body).toString()).toBe(plain.text);
  expect(Number(gzip.headers["content-length"])).toBe(gzip.body.byteLength);
});

test("a new key, a refusal and a short answer go as they are", async () => {
  await using scene = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(scene.url, scene.tokens.operator);
  const headers = { "accept-encoding": "br, gzip" };
  const made = await page.send("POST /console/api/v1/api-keys", {
    json: { organization: "org_acme", name: "Long ".repeat(30), scopes: scopesOf(100) },
    headers,
  });
  expect([made.status, made.headers["content-encoding"]]).toEqual([201, undefined]);
  expect(made.body.byteLength).toBeGreaterThan(1024);
  const { secret, id } = made.json() as { readonly secret: string; readonly id: string };
  noteSecret(secret, id);
  const refused = await page.send("GET /console/api/v1/api-keys/key_nobody", { headers });
  expect([refused.status, refused.headers["content-encoding"]]).toEqual([404, undefined]);
  const short = await page.send("GET /console/api/v1/gates", { headers });
  expect([short.status, short.headers["content-encoding"]]).toEqual([200, undefined]);
});

test("outside the console nothing changes", async () => {
  await using scene = await startRegistry({ console: consoleOptions });
  for (let index = 0; index < 20; index++) await scene.makeKey();
  const answer = await scene.call("GET /v1/api-keys", { headers: { "accept-encoding": "br, gzip" } });
  expect([answer.status, answer.headers["content-encoding"]]).toEqual([200, undefined]);
});

function scopesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `memories:scope-${index}`);
}
