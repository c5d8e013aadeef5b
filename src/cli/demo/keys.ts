/** The demo's tokens and keys. Keys are made as anybody makes them: through the registry's API. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { makeToken } from "../../registry/token.ts";
import { madeKeySchema, secretOf } from "../keys-remote.ts";
import { RegistryApi } from "../registry-api.ts";
import type { DemoTokens } from "./files.ts";

export interface DemoKeys {
  readonly acme: string;
  readonly globex: string;
}

export function makeDemoTokens(clock: Clock): DemoTokens {
  const make = (role: "admin" | "gate"): string =>
    makeToken({ name: "demo", role, expiresAt: undefined }, clock.now(), systemRandom).secret;
  return { admin: make("admin"), gate: make("gate") };
}

export async function makeDemoKeys(url: string, token: string): Promise<DemoKeys> {
  const api = new RegistryApi({ url, token, ca: undefined });
  try {
    return {
      acme: await makeKey(api, "acme", "Acme Corp"),
      globex: await makeKey(api, "globex", "Globex"),
    };
  } finally {
    await api.close();
  }
}

async function makeKey(api: RegistryApi, id: string, name: string): Promise<string> {
  const body = {
    name: `${name} backend`,
    organization: { id: `org_${id}`, name },
    project: { id: `proj_${id}`, name: `${name} agents` },
    environment: "live",
    scopes: ["read", "write", "delete"],
  };
  const made = await api.call(
    { method: "POST", path: "/v1/api-keys", body, idempotencyKey: randomUUID(), role: "operator" },
    madeKeySchema,
  );
  return secretOf(made);
}
