/** The scene that browser tests, pictures and developers use shows something of everything. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ConsolePage } from "../../support/console-page.ts";
import { waitFor } from "../../support/wait-for.ts";
import { startConsoleScene } from "../../support/console-scene.ts";

interface Scene {
  readonly statuses: ReadonlySet<string>;
  readonly environments: ReadonlySet<string>;
}

test("the scene has keys in every state, usage with refusals, gates that follow and that do not", async () => {
  await using scene = await startConsoleScene({ usageDays: 2 });
  const page = await ConsolePage.signedIn(scene.url, scene.tokens.viewer);
  const cookie = page.cookie?.split("=")[1] ?? "";
  const ask = async <T>(path: string): Promise<T> => (await page.call(`GET ${path}`)).json() as T;
  type Key = { readonly id: string; readonly status: string; readonly environment: string };
  const { items: keys } = await ask<{ items: readonly Key[] }>("/v1/api-keys?limit=200");
  // Rotations make two of one.
  expect(keys.length).toBeGreaterThan(40);
  const shown: Scene = {
    statuses: new Set(keys.map(({ status }) => status)),
    environments: new Set(keys.map(({ environment }) => environment)),
  };
  expect([...shown.statuses].toSorted()).toEqual([
    "active",
    "expired",
    "not_yet_valid",
    "revoked",
    "rotating",
  ]);
  expect([...shown.environments].toSorted()).toEqual(["live", "test"]);
  type Usage = { readonly total: { readonly denied_by_reason: object }; readonly items: readonly object[] };
  const usage = await ask<Usage>("/v1/usage?group_by=key&step=hour&top=10");
  expect(Object.keys(usage.total.denied_by_reason).toSorted()).toEqual([
    "environment_denied",
    "key_expired",
    "key_revoked",
    "network_denied",
    "route_denied",
    "scope_missing",
  ]);
  expect(usage.items.length).toBeGreaterThan(200);
  type Gate = { readonly gate: string; readonly live: boolean; readonly behind: number };
  const gates = await ask<{ items: readonly Gate[] }>("/v1/gates");
  expect(gates.items.map(({ gate, live, behind }) => `${gate} ${live} ${behind}`)).toEqual([
    "gate-ap-1 false 0",
    "gate-eu-1 true 0",
    "gate-eu-2 true 0",
    "gate-us-1 true 7",
  ]);
  await page.send("DELETE /console/session");
  const log = await waitFor("the log to tell of the last request", async () => {
    const text = await readFile(scene.folder.file("registry.log"), "utf8");
    return text.includes('"DELETE"') && text;
  });
  for (const hidden of [cookie, ...Object.values(scene.tokens)]) expect(log).not.toContain(hidden);
});

test("the real console is built at the first request, small enough, and names what it loads", async () => {
  await using scene = await startConsoleScene({ keys: 0, usageDays: 0, hasGates: false });
  const page = new ConsolePage(scene.url);
  const document = await page.send("GET /console/");
  const names = [...document.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(1);
  let bytes = document.body.length;
  for (const name of names) {
    expect(name).toMatch(/^assets\/[a-z]+-[0-9a-f]{8,}\.[a-z]+$/);
    const asset = await page.send(`GET /console/${name}`, { headers: { "accept-encoding": "gzip" } });
    expect(asset.status).toBe(200);
    bytes += asset.body.length;
  }
  expect(bytes).toBeLessThan(100 * 1024);
});
