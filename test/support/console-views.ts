/** How to get to each page and dialog of the console, for checks and pictures of all of them. */
import type { Page } from "playwright-core";

export interface ConsoleView {
  readonly name: string;
  /** Signed in before; there when it resolves. */
  readonly show: (page: Page, consoleUrl: string) => Promise<void>;
  /** Closes what must not stay open. */
  readonly leave?: (page: Page) => Promise<void>;
}

const escape = async (page: Page): Promise<void> => {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").or(page.getByRole("alertdialog")).waitFor({ state: "detached" });
};

async function showKey(page: Page, consoleUrl: string, filter: string): Promise<void> {
  await page.goto(`${consoleUrl}#/keys?${filter}`);
  // The filter is in effect: a list of many pages has become one.
  await page.getByText(/^\d keys? on this page/).waitFor();
  await page.locator("tbody .row-link").first().click();
  await page.getByRole("heading", { name: "Usage" }).waitFor();
  await page.locator("canvas").waitFor();
  await page.getByRole("table", { name: "What was done to this key" }).waitFor();
}

async function openCreate(page: Page, consoleUrl: string): Promise<void> {
  await page.goto(`${consoleUrl}#/keys`);
  await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Name" }).fill("Reporting job");
  await dialog.getByLabel("Organization id").fill("org_acme");
  await dialog.getByRole("button", { name: "Add scope read", exact: true }).click();
}

export const consoleViews: readonly ConsoleView[] = [
  {
    name: "keys",
    async show(page, consoleUrl) {
      await page.goto(`${consoleUrl}#/keys`);
      await page.locator(".sparkline").first().waitFor({ state: "attached" });
    },
  },
  {
    name: "no-key-fits",
    async show(page, consoleUrl) {
      await page.goto(`${consoleUrl}#/keys?search=nothing-of-the-kind`);
      await page.getByText("No key fits").waitFor();
    },
  },
  {
    name: "key",
    show: (page, consoleUrl) => showKey(page, consoleUrl, "search=Ticket+triage&environment=live"),
  },
  { name: "key-rotating", show: (page, consoleUrl) => showKey(page, consoleUrl, "status=rotating") },
  {
    name: "edit",
    async show(page, consoleUrl) {
      await showKey(page, consoleUrl, "search=Sales+copilot&environment=live");
      await page.getByRole("button", { name: "Edit" }).click();
      await page.getByRole("dialog").waitFor();
    },
    leave: escape,
  },
  {
    name: "rotate",
    async show(page, consoleUrl) {
      await showKey(page, consoleUrl, "search=Slack");
      await page.getByRole("button", { name: "Rotate" }).click();
      await page.getByRole("dialog").waitFor();
    },
    leave: escape,
  },
  {
    name: "revoke",
    async show(page, consoleUrl) {
      await showKey(page, consoleUrl, "search=Slack");
      await page.getByRole("button", { name: "Revoke" }).click();
      await page.getByLabel("to confirm").waitFor();
    },
    leave: escape,
  },
  {
    name: "usage",
    async show(page, consoleUrl) {
      await page.goto(`${consoleUrl}#/usage?range=30d`);
      await page.locator("canvas").waitFor();
      await page.getByRole("table", { name: "Most used keys" }).waitFor();
    },
  },
  {
    name: "gates",
    async show(page, consoleUrl) {
      await page.goto(`${consoleUrl}#/gates`);
      await page.getByRole("table", { name: "Gates that follow" }).waitFor();
    },
  },
  {
    name: "audit",
    async show(page, consoleUrl) {
      await page.goto(`${consoleUrl}#/audit?organization=org_acme`);
      await page.getByRole("table", { name: "Audit log" }).waitFor();
    },
  },
  { name: "create", show: openCreate, leave: escape },
  {
    name: "secret",
    async show(page, consoleUrl) {
      await openCreate(page, consoleUrl);
      await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
      await page.getByText("This is the only time").waitFor();
    },
  },
  {
    name: "secret-guard",
    async show(page) {
      await page.keyboard.press("Escape");
      await page.getByText("You haven't copied this key.").waitFor();
    },
    async leave(page) {
      await page.getByRole("button", { name: "Close anyway" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
  },
  {
    name: "revoked",
    async show(page, consoleUrl) {
      await showKey(page, consoleUrl, "search=Reporting+job&status=active");
      await page.getByRole("button", { name: "Revoke" }).click();
      await page.getByRole("button", { name: "Revoke key" }).click();
      await page.getByText("Confirmed").first().waitFor();
    },
    async leave(page) {
      await page.getByRole("button", { name: "Done" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
  },
];
