/** The console's page and files over HTTP: headers, caching, codings, and nothing but what was built. */
import { once } from "node:events";
import { connect } from "node:net";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { codingFor, readPrebuilt } from "../../../src/registry/console/assets.ts";
import { codeOf, consoleFiles, consoleOptions } from "../../support/console-page.ts";
import { ask } from "../../support/http-client.ts";
import { startRegistry } from "../../support/registry-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const script = consoleFiles[1]?.bytes ?? new Uint8Array();
const SCRIPT = "/console/assets/console-0123456789ab.js";

test("the page may load its own script and style, and be framed, guessed at or kept by nobody", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const answer = await ask(`${registry.url}/console/`);
  expect([answer.status, answer.text]).toEqual([200, "<!doctype html>\n"]);
  expect(answer.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
  });
  expect(answer.headers["permissions-policy"]).toContain("camera=()");
  expect(answer.headers["set-cookie"]).toBeUndefined();
});

test("without its slash the page is found by a relative redirect, whatever prefix a proxy took off", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const answer = await ask(`${registry.url}/console`);
  expect([answer.status, answer.headers.location]).toEqual([308, "console/"]);
  const seenFromOutside = new URL(answer.headers.location ?? "", "https://example.com/keys/console");
  expect(seenFromOutside.pathname).toBe("/keys/console/");
});

test("files with a hash in their name are kept for good, compressed as the browser likes", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const get = (accepted: string) => ask(registry.url + SCRIPT, { headers: { "accept-encoding": accepted } });
  const [br, gzip, plain] = [await get("gzip, deflate, br, zstd"), await get("gzip"), await get("")];
  for (const { status, headers } of [br, gzip, plain]) {
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
      vary: "Accept-Encoding",
    });
  }
  expect([br, gzip, plain].map(({ headers }) => headers["content-encoding"])).toEqual([
    "br",
    "gzip",
    undefined,
  ]);
  expect(brotliDecompressSync(br.body).equals(script)).toBe(true);
  expect(gunzipSync(gzip.body).equals(script)).toBe(true);
  expect(plain.body.equals(script)).toBe(true);
  expect(br.body.length).toBeLessThan(script.length / 10);
});

test.for([
  ["br", "br"],
  ["GZIP;Q=0.5, BR;q=0", "gzip"],
  ["gzip;q=0, *", "br"],
  ["*;q=0", "identity"],
  ["identity", "identity"],
  ["br;q=banana", "identity"],
  [undefined, "identity"],
] as const)("of Accept-Encoding %s comes %s", ([accepted, coding]) => {
  expect(codingFor(accepted)).toBe(coding);
});

test("HEAD says what GET would, without the body", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  for (const path of ["/console/", SCRIPT]) {
    const [head, get] = [await ask(registry.url + path, { method: "HEAD" }), await ask(registry.url + path)];
    expect(head.body.length).toBe(0);
    const { date: _, "x-request-id": __, ...said } = head.headers;
    const { date: ___, "x-request-id": ____, ...would } = get.headers;
    expect([head.status, said], path).toEqual([get.status, would]);
  }
});

/** As it stands, without the help of a client that would tidy it. */
async function getRaw(url: string, target: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await once(socket, "close");
  return text;
}

test("no path leads out of the console's files", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  for (const target of [
    "/console/assets/../../package.json",
    "/console/assets/..%2f..%2fpackage.json",
    "/console/assets/%2e%2e/index.html",
    "/console/assets/..%5c..%5cpackage.json",
    "/console/assets/%00",
    "/console/assets/constructor",
    "/console/assets/__proto__",
    "/console/assets/",
    "/console/assets//etc/passwd",
    "/console/../package.json",
    "/console/%2e%2e/package.json",
    "/console/index.html",
    "/console/assets/index.html",
    "/console//",
    "//console/",
  ]) {
    expect((await getRaw(registry.url, target)).slice(0, 13), target).toMatch(/^HTTP\/1\.1 (404|400) /);
  }
});

test("files that cannot be had are an outage of the console, told to the log, and tried again", async () => {
  let isThere = false;
  await using registry = await startRegistry({
    console: {
      ...consoleOptions,
      load: () => (isThere ? Promise.resolve(consoleFiles) : Promise.reject(new Error("no bundler here"))),
    },
  });
  const answer = await ask(`${registry.url}/console/`);
  expect([codeOf(answer), answer.headers["retry-after"]]).toEqual(["503 console_unavailable", "5"]);
  expect(answer.text).not.toContain("bundler");
  expect(registry.faults).toEqual(["the console's files cannot be had: Error: no bundler here"]);
  isThere = true;
  expect((await ask(`${registry.url}/console/`)).status).toBe(200);
});

test("where it is switched off nothing of it is there", async () => {
  await using registry = await startRegistry();
  for (const path of ["/console", "/console/", SCRIPT, "/console/session", "/console/api/v1/me"]) {
    expect(codeOf(await ask(registry.url + path)), path).toBe("404 not_found");
  }
});

test("a folder that was built beforehand is read as it is; one without the page is none", async () => {
  await using folder = await makeTempFolder();
  expect(await readPrebuilt(folder.file("nowhere"))).toBeUndefined();
  expect(await readPrebuilt(folder.path)).toBeUndefined();
  await folder.write("index.html", "<!doctype html>");
  await folder.write("assets/console-1.css", "a{}");
  await folder.write("notes.bak", "");
  const files = (await readPrebuilt(folder.path)) ?? [];
  const told = files.map(({ path, contentType, bytes }) => `${path} ${contentType} ${bytes.byteLength}`);
  expect(told.toSorted()).toEqual([
    "assets/console-1.css text/css; charset=utf-8 3",
    "index.html text/html; charset=utf-8 15",
  ]);
});
