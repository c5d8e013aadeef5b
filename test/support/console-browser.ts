/**
 * The console in a real Chromium: a fresh profile per browser, a fresh context per visitor, and
 * everything that a page complains of (refused by its own policy, thrown, logged) is kept, for
 * "nothing of the kind happened".
 */
import { readFileSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { requireTool } from "./tools.ts";

/** Undefined on a machine without it: then skip with `test.skipIf(browserPath === undefined)`. */
export const browserPath: string | undefined = requireTool("chromium", "the console in a browser");

export type Theme = "light" | "dark";

export interface VisitorOptions {
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
}

/** A person with a browser of their own: cookies are shared by their tabs and by nobody else. */
export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What pages complained of. An answer that is an error (401, 409) is none: tests cause these. */
  readonly complaints: readonly string[];
  readonly newTab: () => Promise<Page>;
}

export interface ConsoleBrowser extends AsyncDisposable {
  visit(options?: VisitorOptions): Promise<Visitor>;
}

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Generous: the machine may be busy. */
const DEADLINE_MS = 30_000;

export async function startBrowser(): Promise<ConsoleBrowser> {
  if (browserPath === undefined) throw new Error("no chromium here");
  const browser: Browser = await chromium.launch({
    executablePath: browserPath,
    args: ARGUMENTS,
    timeout: 60_000,
  });
  return {
    async visit({ theme = "light", width = 1280, height = 860 } = {}) {
      const context = await browser.newContext({
        colorScheme: theme,
        viewport: { width, height },
        permissions: ["clipboard-read", "clipboard-write"],
        reducedMotion: "reduce",
        timezoneId: "Europe/Berlin",
      });
      context.setDefaultTimeout(DEADLINE_MS);
      const complaints: string[] = [];
      const newTab = async (): Promise<Page> => {
        const page = await context.newPage();
        page.on("pageerror", (error) => complaints.push(`thrown: ${error.message}`));
        page.on("console", (message) => {
          const isAnswer = message.text().startsWith("Failed to load resource");
          if (["error", "warning"].includes(message.type()) && !isAnswer) complaints.push(message.text());
        });
        return page;
      };
      return { context, page: await newTab(), complaints, newTab };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** From the sign-in page to the list of keys. */
export async function signIn(page: Page, consoleUrl: string, token: string): Promise<void> {
  await page.goto(consoleUrl);
  await page.getByLabel("Admin token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Sections" }).waitFor();
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

const axeSource = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** What lies beneath a modal dialog is out of reach, and was looked at before. */
const axe = (hasContrast: boolean): string =>
  `axe.run(document.querySelector("dialog[open]") ?? document, { rules: { "color-contrast": { enabled: ${hasContrast} } } })`;

/**
 * What axe-core finds wrong with the page as it stands, a line each.
 * @param hasContrast looks at colours as well, which takes longer than all else together
 */
export async function axeFaults(page: Page, hasContrast = true): Promise<readonly string[]> {
  // Past the page's own policy: it is the debugger that evaluates it.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate<AxeResult>(axe(hasContrast));
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`),
  );
}
