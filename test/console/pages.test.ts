/** Every page and dialog: nothing for axe-core to find, nothing wider than the screen, no complaints. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  axeFaults,
  browserPath,
  type ConsoleBrowser,
  signIn,
  startBrowser,
  type VisitorOptions,
} from "../support/console-browser.ts";
import { consoleViews } from "../support/console-views.ts";
import { type ConsoleScene, startConsoleScene } from "../support/console-scene.ts";

const PHONE = 390;

const SCREENS: readonly (Required<Pick<VisitorOptions, "theme" | "width">> & { readonly name: string })[] = [
  { name: "wide and light", theme: "light", width: 1440 },
  { name: "wide and dark", theme: "dark", width: 1440 },
  { name: "a phone, dark", theme: "dark", width: PHONE },
];

async function overhang(page: Page): Promise<number> {
  return await page.evaluate<number>(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
}

describe.skipIf(browserPath === undefined)("every page of the console", () => {
  let browser: ConsoleBrowser;
  let scene: ConsoleScene;
  let console: string;

  beforeAll(async () => {
    browser = await startBrowser();
    scene = await startConsoleScene({ keys: 25, gateUrl: "https://memory.example.com" });
    console = `${scene.url}/console/`;
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await scene?.[Symbol.asyncDispose]();
  });

  test.for(SCREENS)("can be used by everybody and fits: $name", async ({ theme, width }) => {
    const { page, complaints } = await browser.visit({ theme, width });
    await page.goto(console);
    await page.getByLabel("Admin token").waitFor();
    expect.soft(await axeFaults(page), "sign-in").toEqual([]);
    await signIn(page, console, scene.tokens.admin);
    for (const { name, show, leave } of consoleViews) {
      await show(page, console);
      // Colours are those of the wide screen.
      expect.soft(await axeFaults(page, width > PHONE), name).toEqual([]);
      expect.soft(await overhang(page), name).toBe(0);
      await leave?.(page);
    }
    expect(complaints).toEqual([]);
  });

  test.for([320, 768, 1024, 1110, 1240])("fits %i pixels whatever people call things", async (width) => {
    const name = "N".repeat(200);
    const made = await fetch(`${scene.url}/v1/api-keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${scene.tokens.admin}`, "content-type": "application/json" },
      body: JSON.stringify({
        name: width === 320 ? "   " : name,
        organization: { id: "org_long", name: "O".repeat(200) },
        project: { id: "project_long", name: "P".repeat(200) },
        environment: "live",
        scopes: Array.from({ length: 5 }, (_, index) => `${index}${"s".repeat(60)}`),
      }),
    });
    const { id } = (await made.json()) as { id: string };
    const { page } = await browser.visit({ width });
    await signIn(page, console, scene.tokens.operator);
    for (const place of ["keys", "keys?organization=org_long", `keys/${id}`, "audit?organization=org_long"]) {
      await page.goto(`${console}#/${place}`);
      await page.getByRole("table").first().waitFor();
      expect.soft(await overhang(page), place).toBe(0);
    }
    await page.goto(`${console}#/keys?organization=org_long`);
    // Blanks cannot be read or clicked.
    await page
      .getByRole("link", { name: width === 320 ? id : name })
      .first()
      .click();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").waitFor();
    expect(await overhang(page)).toBe(0);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("button", { name: "Rotate key" }).click();
    await page.getByText("This is the only time").waitFor();
    const wider =
      "(() => { const it = document.querySelector('dialog'); return it.scrollWidth - it.clientWidth; })()";
    expect(await page.evaluate<number>(wider)).toBe(0);
  });

  test("is found by keyboard alone, from signing in to a new key", async () => {
    const { page } = await browser.visit();
    await page.goto(console);
    await page.getByLabel("Admin token").waitFor();
    await page.keyboard.type(scene.tokens.operator);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
    await tabTo(page, "Create key");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await focused(page)).toMatch(/^Name/);
    await page.keyboard.type("By keyboard");
    await tabTo(page, "Organization id");
    await page.keyboard.type("org_acme");
    await tabTo(page, "Scopes");
    await page.keyboard.type("read write ");
    await page.keyboard.press("Enter");
    await page.getByText("This is the only time").waitFor();
    // The key is selected: the usual shortcut copies it.
    await page.keyboard.press("ControlOrMeta+c");
    await tabTo(page, "Done");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused(page)).toContain("Create key");
    const row = page.getByRole("row", { name: "By keyboard" });
    await row.waitFor();
    expect(await row.innerText()).toContain("write");
  });

  test("shows keys and usage in words as well", async () => {
    const { page } = await browser.visit();
    await signIn(page, `${console}#/keys?search=Slack`, scene.tokens.viewer);
    await page.getByRole("img", { name: /^Last 24 hours: [\d,]+ requests/ }).waitFor();
    await page.getByRole("link", { name: "Slack bot" }).click();
    await page.getByRole("img", { name: /requests served/ }).waitFor();
    await page.getByText("Show as a table").click();
    const table = page.getByRole("table", { name: /Usage of this key/ });
    await table.waitFor();
    expect(await table.getByRole("row").count()).toBeGreaterThan(10);
  });
});

const FOCUSED =
  "(() => { const it = document.activeElement; return [it?.getAttribute('aria-label'), ...Array.from(it?.labels ?? [], (label) => label.innerText), it?.innerText].filter(Boolean).join(' '); })()";

async function focused(page: Page): Promise<string> {
  return await page.evaluate<string>(FOCUSED);
}

const STOPS_MAX = 80;

/** Presses Tab until what has the focus begins with this. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let stop = 0; stop < STOPS_MAX; stop++) {
    if ((await focused(page)).startsWith(name)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`no ${name} within ${STOPS_MAX} stops`);
}
