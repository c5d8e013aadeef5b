/** The console stays small and quick: what goes over the wire, ten thousand keys, a path prefix. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildConsole } from "../../src/console/build.ts";
import { browserPath, type ConsoleBrowser, signIn, startBrowser } from "../support/console-browser.ts";
import { type ConsoleScene, startConsoleScene } from "../support/console-scene.ts";
import { portOf } from "../support/listening.ts";

const KB = 1000;

test("the script is at most 60 KB, by gzip, and names no other place", async () => {
  const { files } = await buildConsole();
  const script = files.find(({ path }) => path.endsWith(".js"));
  expect(gzipSync(script?.bytes ?? "", { level: 9 }).byteLength).toBeLessThan(60 * KB);
  const names = files.map(({ path }) => path);
  expect(names).toContain("index.html");
  for (const name of names) expect(name).toMatch(/^(index\.html|assets\/[a-z]+-[0-9a-f]{12}\.[a-z]+)$/);
  const page = Buffer.from(files.find(({ path }) => path === "index.html")?.bytes ?? "").toString();
  expect([...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url)).toEqual(
    names.filter((name) => /icon|console-/.test(name)).toSorted((a, b) => page.indexOf(a) - page.indexOf(b)),
  );
  expect(page).not.toMatch(/<script(?! type="module" src=)|<style|\sstyle=|\son\w+=/);
});

test("the same sources give the same bytes", async () => {
  const [first, second] = await Promise.all([buildConsole(), buildConsole()]);
  expect(first.files.map(({ path }) => path)).toEqual(second.files.map(({ path }) => path));
});

describe.skipIf(browserPath === undefined)("in a browser", () => {
  let browser: ConsoleBrowser;
  let scene: ConsoleScene;
  let console: string;

  beforeAll(async () => {
    browser = await startBrowser();
    scene = await startConsoleScene({ keys: 10_000, usageDays: 1, hasGates: false });
    console = `${scene.url}/console/`;
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await scene?.[Symbol.asyncDispose]();
  });

  test("the first load is less than 100 KB over the wire in all, up to the list of 10,000 keys", async () => {
    const { page } = await browser.visit();
    const session = await page.context().newCDPSession(page);
    let bytes = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
    await session.send("Network.enable");
    await signIn(page, console, scene.tokens.viewer);
    await page.locator(".sparkline").first().waitFor({ state: "attached" });
    expect(bytes).toBeGreaterThan(40 * KB);
    expect(bytes).toBeLessThan(100 * KB);
  });

  test("of 10,000 keys a page holds fifty, asks for them in one call, and finds any", async () => {
    const { page, complaints } = await browser.visit();
    const asked: string[] = [];
    page.on("request", (request) => {
      if (request.url().includes("/api/")) asked.push(new URL(request.url()).pathname.split("/v1/")[1] ?? "");
    });
    await signIn(page, console, scene.tokens.viewer);
    await page.locator(".sparkline").first().waitFor({ state: "attached" });
    expect(await page.locator("tbody tr").count()).toBe(50);
    expect(asked.filter((path) => path === "api-keys")).toHaveLength(1);
    expect(asked.filter((path) => path === "usage")).toHaveLength(1);
    expect(asked.length).toBeLessThan(8);
    const first = await firstKey(page);
    await page.getByRole("button", { name: "Next" }).click();
    await expect.poll(() => firstKey(page), { timeout: 20_000 }).not.toBe(first);
    await page.getByRole("button", { name: "Previous" }).click();
    await expect.poll(() => firstKey(page), { timeout: 20_000 }).toBe(first);
    await page.getByRole("searchbox").fill("Contractor laptop");
    await page.getByText("1 key on this page").waitFor();
    expect(await firstKey(page)).toBe("Contractor laptop");
    expect(page.url()).toBe(`${console}#/keys?search=Contractor+laptop`);
    await page.reload();
    await page.getByText("1 key on this page").waitFor();
    expect(complaints).toEqual([]);
  });

  test("works behind a path prefix that a proxy takes off", async () => {
    const PREFIX = "/tools/keys";
    const { host } = new URL(scene.url);
    const server = createServer((incoming, outgoing) => {
      const path = incoming.url ?? "";
      if (!path.startsWith(`${PREFIX}/`)) {
        outgoing.writeHead(404).end();
        return;
      }
      const { method, headers } = incoming;
      const onward = request(`http://${host}${path.slice(PREFIX.length)}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      incoming.pipe(onward);
    });
    await using cleanUp = new AsyncDisposableStack();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUp.defer(() => void server.close());
    const proxyUrl = `http://127.0.0.1:${portOf(server)}`;
    const { page, complaints } = await browser.visit();
    // Without the slash at its end, as people type it.
    await signIn(page, `${proxyUrl}${PREFIX}/console`, scene.tokens.operator);
    await page.locator(".sparkline").first().waitFor({ state: "attached" });
    expect(page.url()).toBe(`${proxyUrl}${PREFIX}/console/`);
    await page.getByRole("link", { name: "Gates" }).click();
    await page.getByText("No gate has reported yet").waitFor();
    expect(complaints).toEqual([]);
  });
});

async function firstKey(page: Page): Promise<string> {
  return await page.locator("tbody .row-link").first().innerText();
}
