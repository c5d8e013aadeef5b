/** What the console does when something is wrong: it says what, keeps the place, and loses nothing. */
import { randomBytes } from "node:crypto";
import type { Dialog, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browserPath, type ConsoleBrowser, signIn, startBrowser } from "../support/console-browser.ts";
import { type ConsoleScene, startConsoleScene } from "../support/console-scene.ts";
import { noteSecret } from "../support/known-secrets.ts";
import { lastingPort } from "../support/listening.ts";
import { startRegistryProcess } from "../support/registry-process.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

const END_SESSION =
  "fetch('session', { method: 'DELETE', headers: { 'x-keyward-console': '1' } }).then((it) => it.status)";

async function signInAgain(page: Page, token: string): Promise<void> {
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.getByLabel("Admin token").fill(token);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
}

/** Up to the dialog that shows the secret. */
async function createKey(page: Page, name: string): Promise<void> {
  await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill(name);
  await page.getByLabel("Organization id").fill("org_acme");
  await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
  const field = page.getByLabel("The new key");
  noteSecret(await field.inputValue(), name);
}

describe.skipIf(browserPath === undefined)("the console", () => {
  let browser: ConsoleBrowser;
  let scene: ConsoleScene;
  let console: string;

  beforeAll(async () => {
    browser = await startBrowser();
    scene = await startConsoleScene({ keys: 12, usageDays: 1, hasGates: false });
    console = `${scene.url}/console/`;
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await scene?.[Symbol.asyncDispose]();
  });

  test("draws what came before the browser had time for the frame after the first", async () => {
    const { page } = await browser.visit();
    // As on a machine that is so busy that the session is answered first.
    await page.addInitScript(`{
      const later = globalThis.setTimeout;
      globalThis.requestAnimationFrame = () => 0;
      globalThis.setTimeout = (run, ms = 0, ...rest) => later(run, ms < 200 ? 60_000 : ms, ...rest);
    }`);
    await page.goto(console);
    expect(await page.getByLabel("Admin token").isEditable()).toBe(true);
  });

  test("says that a token is not valid, and that a gate's token is none for people", async () => {
    const { page, complaints } = await browser.visit();
    await page.goto(`${console}#/usage`);
    const token = page.getByLabel("Admin token");
    await token.fill("kwt_admin_wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("This token is not valid here").waitFor();
    await token.fill(scene.tokens.gate);
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("This token belongs to a gate").waitFor();
    await token.fill(scene.tokens.viewer);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("keeps place and half-filled form when the session ends, and goes on after signing in", async () => {
    const { page, complaints } = await browser.visit();
    await signIn(page, `${console}#/keys?search=bot`, scene.tokens.operator);
    await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
    const form = page.getByRole("dialog", { name: "Create key" });
    await form.getByRole("textbox", { name: "Name" }).fill("Half done");
    await form.getByLabel("Organization id").fill("org_acme");
    expect(await page.evaluate(END_SESSION)).toBe(204);
    // Not by a click: what the form looks up by itself may have been refused before.
    await page.evaluate("document.querySelector('dialog form').requestSubmit()");
    await page.getByText("Your session has ended").waitFor();
    // Whoever finds the screen sees nothing of what was on it.
    expect(await page.getByText("Slack bot").isVisible()).toBe(false);
    await signInAgain(page, scene.tokens.operator);
    expect(await form.getByRole("textbox", { name: "Name" }).inputValue()).toBe("Half done");
    await form.getByRole("button", { name: "Create key" }).click();
    await page.getByLabel("The new key").waitFor();
    noteSecret(await page.getByLabel("The new key").inputValue(), "half done");
    await page.getByLabel("I have stored this key").check();
    await page.getByRole("button", { name: "Done" }).click();
    expect(page.url()).toBe(`${console}#/keys?search=bot`);
    await page.getByRole("link", { name: "Slack bot" }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows the secret on when the session ends; signing in waits until it is stored", async () => {
    const { page } = await browser.visit();
    await signIn(page, console, scene.tokens.operator);
    await createKey(page, "Shown on");
    const secret = await page.getByLabel("The new key").inputValue();
    expect(await page.evaluate(END_SESSION)).toBe(204);
    // The page behind asks for something and hears that the session is over.
    await page.evaluate("location.hash = '#/gates'");
    await page.getByText("This is the only time").waitFor();
    expect(await page.getByLabel("The new key").inputValue()).toBe(secret);
    await page.getByLabel("I have stored this key").check();
    await page.getByRole("button", { name: "Done" }).click();
    await signInAgain(page, scene.tokens.operator);
    await page.getByRole("heading", { name: "Gates", level: 1 }).waitFor();
  });

  test("asks before a secret that nobody copied is lost, at Escape and at leaving the page", async () => {
    const { page } = await browser.visit();
    await signIn(page, console, scene.tokens.operator);
    await createKey(page, "Guarded");
    const dialog = page.getByRole("dialog");
    for (const _ of ["once", "twice", "and again"]) await page.keyboard.press("Escape");
    await dialog.getByText("You haven't copied this key.").waitFor();
    await dialog.getByRole("button", { name: "Go back" }).click();
    const asked = new Promise<Dialog>((resolve) => page.once("dialog", resolve));
    await page.evaluate("void setTimeout(() => location.reload())");
    const question = await asked;
    expect(question.type()).toBe("beforeunload");
    await question.dismiss();
    expect(await page.getByLabel("The new key").isVisible()).toBe(true);
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "Close anyway" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Guarded" }).waitFor();
  });

  test("hears in one tab that somebody signed out, or in, in another", async () => {
    const { page: first, newTab, complaints } = await browser.visit();
    await signIn(first, `${console}#/gates`, scene.tokens.operator);
    const second = await newTab();
    await second.goto(`${console}#/audit`);
    await second.getByRole("heading", { name: "Audit", level: 1 }).waitFor();
    await first.getByRole("button", { name: "Sign out" }).click();
    await first.getByRole("heading", { name: "Sign in" }).waitFor();
    await signInAgain(second, scene.tokens.operator);
    await first.getByRole("heading", { name: "Gates", level: 1 }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("lets two tabs revoke the same key, once", async () => {
    const { page: first, newTab } = await browser.visit();
    await signIn(first, `${console}#/keys?search=Spare`, scene.tokens.operator);
    await createKey(first, "Contended");
    await first.getByLabel("I have stored this key").check();
    await first.getByRole("button", { name: "Done" }).click();
    await first.goto(`${console}#/keys?search=Contended`);
    await first.getByRole("link", { name: "Contended" }).click();
    const second = await newTab();
    await second.goto(first.url());
    for (const page of [first, second]) await page.getByRole("button", { name: "Revoke" }).click();
    await first.getByRole("button", { name: "Revoke key" }).click();
    await first.getByText("No gate is connected now.").first().waitFor();
    await second.getByRole("button", { name: "Revoke key" }).click();
    await second.getByRole("heading", { name: "Revoked" }).waitFor();
    await second.getByRole("button", { name: "Done" }).click();
    await second.getByText("Revoked the key").waitFor();
    // Once, and not once per tab.
    expect(await second.getByText("Revoked the key").count()).toBe(1);
  });

  test("makes one key when the line breaks, and says that its secret is lost", async () => {
    const { page, complaints } = await browser.visit();
    await signIn(page, console, scene.tokens.operator);
    // The registry makes the key; its answer never arrives.
    const lost: number[] = [];
    await page.route("**/api/v1/api-keys", async (route) => {
      if (route.request().method() !== "POST" || lost.length > 0) return await route.continue();
      lost.push((await route.fetch()).status());
      await route.abort("connectionreset");
    });
    await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
    const form = page.getByRole("dialog", { name: "Create key" });
    await form.getByRole("textbox", { name: "Name" }).fill("Made once");
    await form.getByLabel("Organization id").fill("org_acme");
    await form.getByRole("button", { name: "Create key" }).click();
    await form.getByRole("alert").getByText("The registry cannot be reached.").waitFor();
    await form.getByRole("button", { name: "Create key" }).click();
    await page.getByText("The key was made, but its secret is lost").waitFor();
    expect(lost).toEqual([201]);
    await page.getByRole("button", { name: "Go to the key" }).click();
    await page.getByRole("heading", { name: "Made once", level: 1 }).waitFor();
    await page.goto(`${console}#/keys?search=Made+once`);
    await page.getByText("1 key on this page").waitFor();
    expect(complaints).toEqual([]);
  });

  test("changes name, scopes and expiry of a key, and nothing else", async () => {
    const { page, complaints } = await browser.visit();
    await signIn(page, `${console}#/keys?search=Slack`, scene.tokens.operator);
    await page.getByRole("link", { name: "Slack bot" }).click();
    await page.getByRole("button", { name: "Edit" }).click();
    const form = page.getByRole("dialog", { name: "Edit Slack bot" });
    await form.getByRole("textbox", { name: "Name" }).fill("Slack bot, EU");
    await form.getByRole("button", { name: "Remove scope write" }).click();
    await form.getByRole("radio", { name: "Date…" }).check();
    await form.getByLabel("Last day").fill("2099-12-31");
    await form.getByRole("button", { name: "Save" }).click();
    await form.waitFor({ state: "detached" });
    await page.getByRole("heading", { name: "Slack bot, EU", level: 1 }).waitFor();
    await page.getByText("31 Dec 2099, 23:59").first().waitFor();
    const { items } = await scene.store.listAudit({ action: "key.update" }, { limit: 1 });
    expect(items[0]?.details).toEqual({
      name: { from: "Slack bot", to: "Slack bot, EU" },
      scopes: { from: ["read", "write"], to: ["read"] },
      expires_at: { from: null, to: "2099-12-31T22:59:59.000Z" },
    });
    expect(complaints).toEqual([]);
  });

  test("offers viewers nothing that the registry would refuse them", async () => {
    const { page, complaints } = await browser.visit();
    await signIn(page, console, scene.tokens.viewer);
    await page.getByRole("link", { name: "Slack bot" }).click();
    await page.getByRole("heading", { name: "Slack bot" }).waitFor();
    await page.locator("canvas").waitFor();
    expect(await page.getByRole("button", { name: /Edit|Rotate|Revoke|Finish|Cancel/ }).count()).toBe(0);
    await page.getByRole("link", { name: "Keys", exact: true }).first().click();
    await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
    expect(await page.getByRole("button", { name: "Create key" }).count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("says what to do about a field that the registry refuses", async () => {
    const { page } = await browser.visit();
    await signIn(page, console, scene.tokens.operator);
    await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
    await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("Faulty");
    await page.getByLabel("Organization id").fill("org acme!");
    await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
    const field = page.getByLabel("Organization id");
    await page.getByText("must be 1 to 128 characters").first().waitFor();
    expect(await field.getAttribute("aria-invalid")).toBe("true");
  });

  test("lets a key be revoked by its name as it is read", async () => {
    const headers = { authorization: `Bearer ${scene.tokens.admin}`, "content-type": "application/json" };
    const rename = async (id: string, name: string | undefined): Promise<number> =>
      (
        await fetch(`${scene.url}/v1/api-keys/${id}`, {
          method: "PATCH",
          headers,
          body: JSON.stringify({ name }),
        })
      ).status;
    const list = await fetch(`${scene.url}/v1/api-keys?status=active`, { headers });
    const { items } = (await list.json()) as {
      items: readonly { readonly id: string; readonly name?: string; readonly last_used_at?: string }[];
    };
    const { id = "", name } = items.find((key) => key.last_used_at !== undefined) ?? {};
    expect(await rename(id, " Cafe\u0301  at night ")).toBe(200);
    const { page } = await browser.visit();
    await signIn(page, `${console}#/keys/${id}`, scene.tokens.operator);
    await page.getByRole("button", { name: "Revoke" }).click();
    const dialog = page.getByRole("alertdialog");
    await dialog.getByLabel("to confirm").fill("Café at");
    expect(await dialog.getByRole("button", { name: "Revoke key" }).isEnabled()).toBe(false);
    await dialog.getByLabel("to confirm").fill("Café at night");
    expect(await dialog.getByRole("button", { name: "Revoke key" }).isEnabled()).toBe(true);
    expect(await rename(id, name)).toBe(200);
  });

  test("leads from a page of a list that is gone to the first one", async () => {
    const { page } = await browser.visit();
    for (const section of ["keys", "audit"]) {
      await signIn(page, `${console}#/${section}?cursor=of-long-ago`, scene.tokens.viewer);
      await page.getByText("This page of the list is gone.").waitFor();
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("table", { name: "newest first" }).waitFor();
      expect(new URL(page.url()).hash).toBe(`#/${section}`);
      await page.context().clearCookies();
    }
  });

  test("says so when a proxy's page comes instead of the registry's answer", async () => {
    const { page, complaints } = await browser.visit();
    await signIn(page, console, scene.tokens.operator);
    await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
    await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("Behind a proxy");
    await page.getByLabel("Organization id").fill("org_acme");
    await page.route("**/v1/**", (route) => route.fulfill({ contentType: "text/html", body: "<h1>Sign in" }));
    await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
    await page.getByRole("dialog").getByText("Something other than the registry answered.").waitFor();
    await page.unroute("**/v1/**");
    await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
    noteSecret(await page.getByLabel("The new key").inputValue(), "Behind a proxy");
    expect(complaints).toEqual([]);
  });

  test("stays on its page while the registry is down, and goes on by itself when it is back", async () => {
    const ADMIN = `admin-${randomBytes(16).toString("hex")}`;
    await using folder = await makeTempFolder();
    const port = await lastingPort();
    const start = (): ReturnType<typeof startRegistryProcess> =>
      startRegistryProcess(folder, "", { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN }, port);
    const { page, complaints } = await browser.visit();
    {
      await using registry = await start();
      await signIn(page, `${registry.url}/console/#/gates`, ADMIN);
      await page.getByText("No gate has reported yet").waitFor();
    }
    const banner = page.getByRole("status").getByText("The registry cannot be reached.");
    await banner.waitFor();
    await page.getByText("No gate has reported yet").waitFor();
    await page.getByRole("link", { name: "Audit" }).click();
    await using _registry = await start();
    await banner.waitFor({ state: "detached" });
    // Sessions are in the memory of the process that ended.
    await signInAgain(page, ADMIN);
    await page.getByRole("heading", { name: "Audit", level: 1 }).waitFor();
    expect(complaints).toEqual([]);
  });
});
