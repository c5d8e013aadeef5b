/**
 * Writes a picture of every page and dialog of the console, light and dark, wide and narrow, with
 * the scene's data, to `test/console/screenshots/`: `npm run screenshots [-- name …]`. To be looked
 * at; nothing compares them.
 */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { signIn, startBrowser, type Theme } from "../support/console-browser.ts";
import { startConsoleScene } from "../support/console-scene.ts";
import { type ConsoleView, consoleViews } from "../support/console-views.ts";

const folder = fileURLToPath(new URL("screenshots/", import.meta.url));

const SCREENS = [
  { name: "wide", width: 1440, height: 900 },
  { name: "phone", width: 390, height: 844 },
] as const;
const THEMES: readonly Theme[] = ["light", "dark"];

const wanted = new Set(process.argv.slice(2));

async function takePictures(consoleUrl: string, page: Page, token: string, suffix: string): Promise<void> {
  const take = async (name: string): Promise<void> => {
    if (wanted.size > 0 && !wanted.has(name)) return;
    await page.screenshot({ path: `${folder}${name}-${suffix}.png`, animations: "disabled" });
  };
  await page.goto(consoleUrl);
  await page.getByLabel("Admin token").waitFor();
  await take("sign-in");
  await signIn(page, consoleUrl, token);
  for (const view of viewsUpTo(wanted)) {
    await view.show(page, consoleUrl);
    await page.waitForLoadState("networkidle");
    await take(view.name);
    await view.leave?.(page);
  }
}

/** Some views begin where others end. */
function viewsUpTo(names: ReadonlySet<string>): readonly ConsoleView[] {
  const last = consoleViews.findLastIndex(({ name }) => names.has(name));
  return names.size === 0 ? consoleViews : consoleViews.slice(0, last + 1);
}

await mkdir(folder, { recursive: true });
await using scene = await startConsoleScene({ keys: 40, gateUrl: "https://memory.example.com" });
await using browser = await startBrowser();
for (const theme of THEMES) {
  for (const { name, width, height } of SCREENS) {
    const { page } = await browser.visit({ theme, width, height });
    await takePictures(`${scene.url}/console/`, page, scene.tokens.admin, `${name}-${theme}`);
    await page.context().close();
  }
}
process.stdout.write(`${folder}\n`);
