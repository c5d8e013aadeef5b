/** The config and key file of the demo: what a user of the example backend would write by hand. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Clock } from "../../base/clock.ts";
import { digestOf, formatDigest } from "../../keys/digest.ts";
import { compileKeyFormat } from "../../keys/format.ts";
import { newKeyId } from "../../keys/key-id.ts";
import type { KeyRecord } from "../../keys/record.ts";

export interface DemoPorts {
  readonly port: number;
  readonly opsPort: number;
}

/** A fresh secret and what the key file says of it. */
export interface DemoKey {
  readonly secret: string;
  readonly record: KeyRecord;
}

export interface DemoKeys {
  readonly acme: DemoKey;
  readonly acmeReadOnly: DemoKey;
  readonly globex: DemoKey;
}

export const CONFIG_FILE = "keyward.yaml";
export const KEY_FILE = "keys.yaml";

const format = compileKeyFormat({ prefix: "mem", environments: ["live", "test"], checksum: false });

export function makeDemoKeys(clock: Clock): DemoKeys {
  const acme = { id: "org_acme", name: "Acme Corp" };
  const globex = { id: "org_globex", name: "Globex" };
  const all = ["read", "write", "delete"];
  return {
    acme: makeKey(clock, "Acme backend", acme, all),
    acmeReadOnly: makeKey(clock, "Acme dashboard", acme, ["read"]),
    globex: makeKey(clock, "Globex backend", globex, all),
  };
}

function makeKey(
  clock: Clock,
  name: string,
  organization: { id: string; name: string },
  scopes: string[],
): DemoKey {
  const secret = format.mint("live");
  const project = { id: `proj_${organization.id.slice("org_".length)}`, name: `${organization.name} agents` };
  return {
    secret,
    record: {
      id: newKeyId(clock.now()),
      name,
      digest: formatDigest(digestOf(secret)),
      start: secret.slice(0, "mem_live_".length + 4),
      organization,
      project,
      environment: "live",
      scopes,
      created_at: new Date(clock.now()).toISOString(),
    },
  };
}

/** Writes both files. Fails when one is there already: a demo must not replace somebody's keys. */
export async function writeDemoFiles(
  folder: string,
  keys: DemoKeys,
  ports: DemoPorts,
  backendUrl: string,
): Promise<string> {
  const records = [keys.acme, keys.acmeReadOnly, keys.globex].map(({ record }) => record);
  const configFile = join(folder, CONFIG_FILE);
  await mkdir(folder, { recursive: true });
  await writeFile(configFile, demoConfig(ports, backendUrl), { flag: "wx", mode: 0o644 });
  await writeFile(join(folder, KEY_FILE), stringify({ keys: records }, { aliasDuplicateObjects: false }), {
    flag: "wx",
    mode: 0o600,
  });
  return configFile;
}

function demoConfig({ port, opsPort }: DemoPorts, backendUrl: string): string {
  return `# The gate of the demo. Change it while the demo runs: it is reloaded at once.
listen: { host: 127.0.0.1, port: ${port} }
ops: { host: 127.0.0.1, port: ${opsPort} }
shutdown_grace: 2s

upstreams:
  default: { url: "${backendUrl}" }

key_format: { prefix: mem, environments: [live, test] }
keys: { file: ${KEY_FILE} }

# What is not listed is refused.
routes:
  - { path: /health, public: true }
  - { methods: [GET], path: /v1/me, handler: whoami }
  - { methods: [GET], path: /v1/memories/**, scopes: [read] }
  - { methods: [POST], path: /v1/memories/search, scopes: [read] }
  - { methods: [POST], path: /v1/memories, scopes: [write] }
  - { methods: [DELETE], path: "/v1/memories/{id}", scopes: [delete] }
`;
}
