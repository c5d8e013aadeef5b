/** The whole life of a key, as a person lives it in the console, while a client uses it at a gate. */
import { randomBytes } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { browserPath, signIn, startBrowser } from "../support/console-browser.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { type Answer, ask } from "../support/http-client.ts";
import { assertNoSecretIn, noteSecret } from "../support/known-secrets.ts";
import { startRegistryProcess } from "../support/registry-process.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const ADMIN = `admin-${randomBytes(16).toString("hex")}`;
const GATE = `gate-${randomBytes(16).toString("hex")}`;
const TOKENS = { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN, KEYWARD_REGISTRY_GATE_TOKEN: GATE };
const REGISTRY = "key_format: { prefix: mem, environments: [live, test] }\ngates: { heartbeat: 500ms }\n";

async function statusWith(gate: GateProcess, key: string): Promise<Answer> {
  return await ask(`${gate.url}/v1/memories`, { key });
}

async function until(gate: GateProcess, key: string, status: number): Promise<Answer> {
  return await waitFor(
    `${status} at the gate`,
    async () => {
      const answer = await statusWith(gate, key);
      return answer.status === status ? answer : undefined;
    },
    { deadlineMs: 30_000, everyMs: 50 },
  );
}

/** What the dialog shows once. */
async function shownSecret(page: Page): Promise<string> {
  const secret = await page.getByLabel("The new key").inputValue();
  expect(secret).toMatch(/^mem_live_[0-9A-Za-z]{27,}$/);
  noteSecret(secret, "the console's key");
  return secret;
}

test.skipIf(browserPath === undefined)(
  "a key is made, copied, used, seen in use, rotated with an overlap and revoked",
  async () => {
    await using folder = await makeTempFolder();
    await using upstream = await startEchoUpstream();
    await using registry = await startRegistryProcess(folder, REGISTRY, TOKENS);
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      config: {
        keys: { registry: { url: registry.url, token: GATE, gate: "gate1", usage: { interval: "1s" } } },
      },
    });
    await using gate = await startGateProcess(configFile);
    await using browser = await startBrowser();
    const { page, complaints } = await browser.visit();
    await signIn(page, `${registry.url}/console/`, ADMIN);

    // Create.
    await page.getByText("No keys yet").waitFor();
    await page.locator(".page-head").getByRole("button", { name: "Create key" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox", { name: "Name" }).fill("Reporting job");
    await dialog.getByLabel("Organization id").fill("org_acme");
    await dialog.getByLabel("Scopes", { exact: true }).fill("read ");
    await dialog.getByRole("button", { name: "Create key" }).click();

    // Copy; only then may the dialog close.
    await dialog.getByText("This is the only time").waitFor();
    const first = await shownSecret(page);
    expect(await dialog.getByRole("button", { name: "Done" }).isDisabled()).toBe(true);
    await dialog.getByRole("button", { name: "Copy", exact: true }).click();
    await page.locator("[data-announcer]", { hasText: "Key copied to the clipboard" }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(first);
    await dialog.getByRole("button", { name: "Done" }).click();

    // The secret is gone from the page, and was never kept.
    await page.getByRole("link", { name: "Reporting job" }).click();
    await page.getByRole("heading", { name: "Reporting job" }).waitFor();
    const kept = await page.evaluate<string>(
      "JSON.stringify([document.documentElement.outerHTML, location.href, {...localStorage}, {...sessionStorage}, history.state])",
    );
    assertNoSecretIn(kept, "the page and what it keeps");

    // Use, and see it.
    await until(gate, first, 200);
    await waitFor(
      "the request in the console",
      async () => {
        await page.reload();
        await page.locator(".figure", { hasText: "Served" }).waitFor();
        return !(await page.locator(".figure", { hasText: "Served" }).innerText()).startsWith("Served\n0");
      },
      { deadlineMs: 60_000, everyMs: 300 },
    );

    // Rotate.
    await page.getByRole("button", { name: "Rotate" }).click();
    await dialog.getByRole("radio", { name: "1 h", exact: true }).check();
    await dialog.getByRole("button", { name: "Rotate key" }).click();
    await dialog.getByText("Copy the successor now").waitFor();
    const second = await shownSecret(page);
    await dialog.getByLabel("I have stored this key").check();
    await dialog.getByRole("button", { name: "Done" }).click();
    await until(gate, second, 200);
    const warned = await waitFor("the notice to the old key", async () => {
      const answer = await until(gate, first, 200);
      return answer.headers["deprecation"] === undefined ? undefined : answer;
    });
    expect(warned.headers["sunset"]).toBeDefined();
    await page.getByText("Being replaced by").waitFor();

    // Revoke: it is in use, so the name has to be typed.
    await page.getByRole("button", { name: "Revoke" }).click();
    const question = page.getByRole("alertdialog");
    const confirm = question.getByRole("button", { name: "Revoke key" });
    await question.getByLabel("Type “Reporting job” to confirm").waitFor();
    expect(await confirm.isDisabled()).toBe(true);
    await question.getByLabel("Type “Reporting job” to confirm").fill("Reporting job");
    await confirm.click();
    await page.getByText("1 of 1 gate confirms. This key is refused everywhere.").first().waitFor();
    expect((await statusWith(gate, first)).status).toBe(401);
    expect((await statusWith(gate, second)).status).toBe(200);
    await dialog.getByRole("button", { name: "Done" }).click();

    // What happened is written down.
    const history = page.getByRole("table", { name: "What was done to this key" });
    await history.getByText("Revoked the key").waitFor();
    await history.getByText("Rotated the key").waitFor();
    await history.getByText("Created the key").waitFor();
    expect(await history.getByText("in the console").count()).toBeGreaterThanOrEqual(3);
    expect(complaints).toEqual([]);
    assertNoSecretIn(registry.output, "the output of the registry");
  },
);
