/**
 * A real Prometheus with the shipped rules and dashboards, a real gate and a real registry: every
 * expression finds what it asks for, and the alerts fire when things go wrong.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { noteSecret } from "../support/known-secrets.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import { type RegistryProcess, startRegistryProcess } from "../support/registry-process.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { requireTool } from "../support/tools.ts";
import { waitFor } from "../support/wait-for.ts";
import { expressions, ruleFiles, selectorsOf } from "./expressions.ts";

const program = requireTool("prometheus", "test/monitoring (alerts in a real Prometheus)");
const TOKENS = { admin: "admin-token-0123456789", gate: "gate-token-0123456789" };

interface Scene {
  readonly folder: TempFolder;
  readonly registry: RegistryProcess;
  readonly gate: GateProcess;
  readonly prometheus: Prometheus;
}

/** The rules with waits of a second, so that a test need not wait for minutes; nothing else is changed. */
async function impatientRules(folder: TempFolder): Promise<readonly string[]> {
  const hasten = (file: string): Promise<string> => {
    const { groups } = parse(readFileSync(file, "utf8")) as {
      groups: { rules: Record<string, unknown>[] }[];
    };
    for (const rule of groups.flatMap((group) => group.rules)) if ("for" in rule) rule["for"] = "1s";
    return folder.write(basename(file), stringify({ groups }));
  };
  return await Promise.all(ruleFiles.map(hasten));
}

async function startScene(stack: AsyncDisposableStack): Promise<Scene> {
  const folder = stack.use(await makeTempFolder());
  const upstream = stack.use(await startEchoUpstream());
  const registryFolder = stack.use(await makeTempFolder());
  const tokens = `tokens: { admin_token: ${TOKENS.admin}, gate_token: ${TOKENS.gate} }\nkey_format: { prefix: mem, environments: [live] }\n`;
  const registry = stack.use(await startRegistryProcess(registryFolder, tokens));
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: upstream.url,
    config: {
      keys: {
        registry: { url: registry.url, token: TOKENS.gate, usage: { interval: "1s" } },
      },
      key_format: { prefix: "mem", environments: ["live"] },
    },
  });
  const gate = stack.use(await startGateProcess(configFile));
  const prometheus = stack.use(
    await startPrometheus({
      program: program ?? "",
      target: { keyward: new URL(gate.opsUrl).host, "keyward-registry": new URL(registry.opsUrl).host },
      ruleFiles: await impatientRules(folder),
      folder,
    }),
  );
  return { folder, registry, gate, prometheus };
}

async function makeRegistryKey({ registry }: Scene, fields: object): Promise<string> {
  const made = await ask(`${registry.url}/v1/api-keys`, {
    method: "POST",
    key: TOKENS.admin,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ organization: "org_acme", environment: "live", scopes: ["read"], ...fields }),
  });
  const { secret, id } = made.json() as { secret: string; id: string };
  noteSecret(secret, id);
  return secret;
}

describe.skipIf(program === undefined)("a real Prometheus with the shipped rules", () => {
  test(
    "finds what every expression asks for, and fires when things break",
    { timeout: 180_000 },
    async () => {
      await using stack = new AsyncDisposableStack();
      const scene = await startScene(stack);
      const { gate, prometheus, registry, folder } = scene;
      const firing = async (alert: string): Promise<boolean> =>
        (await prometheus.query(`ALERTS{alertname="${alert}",alertstate="firing"}`)).length > 0;
      const fires = (alert: string): Promise<boolean> =>
        waitFor(`${alert} to fire`, () => firing(alert), { deadlineMs: 60_000, everyMs: 300 });

      const soon = await makeRegistryKey(scene, { expires_at: new Date(Date.now() + 20_000).toISOString() });
      const get = async (key: string): Promise<number> =>
        (await ask(`${gate.url}/v1/memories`, { key })).status;
      await waitFor("the key to be known", async () => (await get(soon)) === 200);

      await fires("KeywardKeyExpiresSoon");
      expect(await firing("KeywardExpiredKeyInUse")).toBe(false);
      await waitFor("the key to expire", async () => (await get(soon)) === 401, { deadlineMs: 40_000 });
      await waitFor(
        "KeywardExpiredKeyInUse to fire",
        async () => {
          await get(soon);
          return await firing("KeywardExpiredKeyInUse");
        },
        { deadlineMs: 60_000, everyMs: 300 },
      );

      // Everything has been counted and scraped by now.
      const { text: gatePage } = await ask(`${gate.opsUrl}/metrics`);
      const { text: registryPage } = await ask(`${registry.opsUrl}/metrics`);
      const pages = `${gatePage}\n${registryPage}`;
      for (const { where, expr } of expressions) {
        await expect(prometheus.query(expr), where).resolves.toBeDefined();
        for (const { metric } of selectorsOf(expr)) {
          const family = metric.replace(/_(bucket|sum|count)$/, "");
          const isThere = pages.includes(`# TYPE ${metric} `) || pages.includes(`# TYPE ${family} `);
          expect([where, metric, isThere]).toEqual([where, metric, true]);
        }
      }

      expect(await firing("KeywardReloadFailed")).toBe(false);
      await folder.write("keyward.yaml", "routes: [{ path: nowhere }]\n");
      await fires("KeywardReloadFailed");

      expect(await firing("KeywardRegistryDown")).toBe(false);
      registry.child.kill("SIGKILL");
      await fires("KeywardRegistryDown");
      await fires("KeywardGateDown");
    },
  );
});
