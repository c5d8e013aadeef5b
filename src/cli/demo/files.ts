/** The files of the demo: configs and tokens as a user of the example backend would have them. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface DemoPorts {
  readonly port: number;
  readonly opsPort: number;
  readonly registryPort: number;
}

export interface DemoTokens {
  readonly admin: string;
  readonly gate: string;
}

/** How what the demo wrote is told from what somebody else did. */
const MARK = "# Written by keyward demo, anew at each start.";

/**
 * Makes the folders, and the registry's config and tokens. What writes all the time has folders of
 * its own: the gate watches the one of its config.
 * @returns the config's path
 */
export async function writeRegistryFiles(
  folder: string,
  tokens: DemoTokens,
  { port, registryPort }: DemoPorts,
): Promise<string> {
  for (const name of ["", "data", "logs"]) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "admin.token"), `${tokens.admin}\n`, { mode: 0o600 });
  await writeFile(join(folder, "gate.token"), `${tokens.gate}\n`, { mode: 0o600 });
  // Where the gate will be is known when its port is.
  const gateUrl = port === 0 ? "" : `gate_url: "http://127.0.0.1:${port}", `;
  return await writeConfig(
    join(folder, "registry.yaml"),
    `${MARK}
listen: { host: 127.0.0.1, port: ${registryPort} }
ops: { host: 127.0.0.1, port: 0 }
storage: data/registry.db
key_format: { prefix: mem, environments: [live, test] }
tokens: { admin_token_file: admin.token, gate_token_file: gate.token }
# On this machine only, where not every browser takes a secure cookie without TLS.
console: { ${gateUrl}insecure_cookie: true }
shutdown_grace: 2s
`,
  );
}

/** @returns the config's path */
export async function writeGateConfig(
  folder: string,
  { port, opsPort }: DemoPorts,
  urls: { readonly backend: string; readonly registry: string },
): Promise<string> {
  return await writeConfig(
    join(folder, "keyward.yaml"),
    `${MARK}
# Change it while the demo runs: it is reloaded at once.
listen: { host: 127.0.0.1, port: ${port} }
ops: { host: 127.0.0.1, port: ${opsPort} }
shutdown_grace: 2s

upstreams:
  default: { url: "${urls.backend}" }

key_format: { prefix: mem, environments: [live, test] }
keys:
  registry: { url: "${urls.registry}", token_file: gate.token, gate: demo, usage: { interval: 1s } }

# What is not listed is refused.
routes:
  - { path: /health, public: true }
  - { methods: [GET], path: /v1/me, handler: whoami }
  - { methods: [GET], path: /v1/memories/**, scopes: [read] }
  - { methods: [POST], path: /v1/memories/search, scopes: [read] }
  - { methods: [POST], path: /v1/memories, scopes: [write] }
  - { methods: [DELETE], path: "/v1/memories/{id}", scopes: [delete] }
`,
  );
}

/** A config that somebody else wrote stays. */
export class ForeignConfig extends Error {
  constructor(path: string) {
    super(`${path} is not the demo's`);
    this.name = "ForeignConfig";
  }
}

async function writeConfig(path: string, text: string): Promise<string> {
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return MARK;
  });
  if (!known.startsWith(MARK)) throw new ForeignConfig(path);
  await writeFile(path, text);
  return path;
}
