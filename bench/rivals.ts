/** Who is compared: how each is set up and started. Their configs stand in bench/rivals/. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { freePort } from "../test/support/listening.ts";
import { launcher } from "../test/support/gate-process.ts";
import {
  GOOD_KEY,
  haproxyMapOf,
  idOf,
  keyFileOf,
  nginxMapOf,
  organizationOf,
  scopesOf,
  secretOf,
  snapshotOf,
} from "./keys.ts";
import { type Lab, type Running, benchFolder, isInstalled, projectFolder, request } from "./lab.ts";

/** The list that all rivals have which check keys, unless the scenario says otherwise. */
export const KEYS = 10_000;

/** What a scenario wants of a backend. */
export type BackendKind = "cheapest" | "node";

export interface Rival {
  /** In options and results. */
  readonly name: string;
  readonly title: string;
  /** A command or a package; without it the rival is left out. */
  readonly needs: { readonly program: string } | { readonly package: string } | undefined;
  /** Tells keys and scopes apart; else everything is let through. */
  readonly checksKeys: boolean;
  /** @param nodeOptions of Node, where the rival is a Node program */
  start(lab: Lab, backend: BackendKind, nodeOptions?: readonly string[]): Promise<Running>;
}

const probe = request("/v1/memories/m_1", secretOf(GOOD_KEY));

function backendOf(lab: Lab, kind: BackendKind): string {
  return kind === "node" ? lab.nodeBackend : lab.backend;
}

interface GateSetup {
  readonly keys?: number;
  /** Where the keys are; without it in a file. */
  readonly source?: "file" | "registry";
  readonly routes?: number;
  readonly workers?: number;
  readonly access?: boolean;
  readonly client?: "auto" | "undici";
  /** Of the checkout that runs; this one without. */
  readonly folder?: string;
}

/** Another checkout, to hold a change against what was before it. */
const before = process.env["BENCH_BEFORE"];

/** The gate as shipped: `node src/keyward.js serve`. */
function gate(name: string, title: string, setup: GateSetup = {}): Rival {
  const { keys = KEYS, source = "file", routes = 10, workers = 1 } = setup;
  const { access = false, client = "auto", folder: of } = setup;
  return {
    name,
    title,
    needs: undefined,
    checksKeys: true,
    async start(lab, backend, nodeOptions = []) {
      const folder = await lab.makeFolder(name);
      const port = await freePort();
      const config = await lab.render("keyward.yaml", folder, {
        port: String(port),
        ops_port: String(await freePort()),
        upstream: backendOf(lab, backend),
        workers: String(workers),
        access: String(access),
        client,
        keys: await (source === "file" ? writeKeyFile(folder, keys) : serveKeys(lab, keys)),
        routes: routesOf(routes),
      });
      return await lab.start({
        command: process.execPath,
        args: [
          ...nodeOptions,
          of === undefined ? launcher : join(of, "src/keyward.js"),
          "serve",
          "--config",
          config,
        ],
        port,
        probe,
        isProxy: true,
        output: join(folder, "access.log"),
      });
    },
  };
}

async function writeKeyFile(folder: string, count: number): Promise<string> {
  const file = join(folder, "keys.yaml");
  await writeFile(file, keyFileOf(count));
  return `{ file: ${JSON.stringify(file)} }`;
}

/** A registry can be any web server: the one that is the backend gives them out. */
async function serveKeys(lab: Lab, count: number): Promise<string> {
  const name = `registry-${count}`;
  await mkdir(join(lab.folder, "files", name), { recursive: true });
  const file = join(lab.folder, "files", name, "keys");
  await writeFile(file, "");
  let page = "";
  for (const line of snapshotOf(count)) {
    page += line;
    if (page.length < 1_000_000) continue;
    await appendFile(file, page);
    page = "";
  }
  await appendFile(file, page);
  return `{ registry: { url: "http://${lab.backend}/${name}", mode: sync } }`;
}

/** Routes of a memory service, the one that is used among them, and others to search through. */
function routesOf(count: number): string {
  const lines = [
    "{ methods: [GET], path: /v1/memories/**, scopes: [read] }",
    "{ methods: [POST, PUT, PATCH], path: /v1/memories/**, scopes: [write] }",
  ];
  for (let n = lines.length; n < count; n++) {
    lines.push(`{ methods: [GET], path: "/v1/area${n}/{id}/items/**", scopes: [read] }`);
  }
  return lines.map((line) => `  - ${line}`).join("\n");
}

/** A server whose config is a template with maps of keys beside it. */
function server(
  name: string,
  title: string,
  of: {
    readonly program: string;
    readonly template: string;
    readonly args: (config: string) => readonly string[];
    readonly checksKeys: boolean;
    readonly workers?: number;
    readonly accessLog?: boolean;
  },
): Rival {
  return {
    name,
    title,
    needs: { program: of.program },
    checksKeys: of.checksKeys,
    async start(lab, backend) {
      const folder = await lab.makeFolder(name);
      const port = await freePort();
      await writeMaps(of.program, folder);
      const config = await lab.render(of.template, folder, {
        port: String(port),
        upstream: backendOf(lab, backend),
        secret: secretOf(GOOD_KEY),
        workers: String(of.workers ?? 1),
        access_log: of.accessLog === true ? `${folder}/access.log` : "off",
        buffering: backend === "node" ? "off" : "on",
      });
      return await lab.start({ command: of.program, args: of.args(config), port, probe, isProxy: true });
    },
  };
}

async function writeMaps(program: string, folder: string): Promise<void> {
  const values = {
    "key-ids": idOf,
    organizations: organizationOf,
    scopes: (n: number) => scopesOf(n).join(","),
  };
  for (const [name, value] of Object.entries(values)) {
    if (program === "nginx") await writeFile(join(folder, `${name}.map`), nginxMapOf(KEYS, value));
    if (program === "haproxy") await writeFile(join(folder, `${name}.txt`), haproxyMapOf(KEYS, value));
  }
}

/** A proxy made of a package, with no authentication at all. */
function library(name: string, packageName: string): Rival {
  return {
    name,
    title: `${packageName}, no authentication`,
    needs: { package: packageName },
    checksKeys: false,
    async start(lab, backend) {
      return await lab.start({
        command: process.execPath,
        args: [join(benchFolder, `rivals/${name}.ts`), "{{port}}", backendOf(lab, backend)],
        port: await freePort(),
        probe,
        isProxy: true,
      });
    },
  };
}

const nginx = { program: "nginx", args: (config: string) => ["-c", config], checksKeys: true };

export const rivals: readonly Rival[] = [
  gate("keyward", "Keyward"),
  gate("keyward-log", "Keyward, access log on", { access: true }),
  gate("keyward-undici", "Keyward, client: undici", { client: "undici" }),
  gate("keyward-2-workers", "Keyward, 2 workers", { workers: 2 }),
  gate("keyward-100-keys", "Keyward, 100 keys", { keys: 100 }),
  gate("keyward-registry", "Keyward, 10000 keys from a registry", { source: "registry" }),
  gate("keyward-1000000-keys", "Keyward, 1000000 keys from a registry", {
    keys: 1_000_000,
    source: "registry",
  }),
  ...[100, 1000].map((routes) => gate(`keyward-${routes}-routes`, `Keyward, ${routes} routes`, { routes })),
  ...(before === undefined
    ? []
    : [
        gate("before", "Keyward before", { folder: before }),
        gate("before-log", "Keyward before, access log on", { folder: before, access: true }),
      ]),
  server("nginx", "nginx, map", { ...nginx, template: "nginx-map.conf" }),
  server("nginx-log", "nginx, map, access log on", { ...nginx, template: "nginx-map.conf", accessLog: true }),
  server("nginx-auth-request", "nginx, auth_request", { ...nginx, template: "nginx-auth-request.conf" }),
  server("haproxy", "HAProxy, map", {
    program: "haproxy",
    template: "haproxy-map.cfg",
    args: (config) => ["-db", "-f", config],
    checksKeys: true,
  }),
  server("caddy", "Caddy, one key", {
    program: "caddy",
    template: "Caddyfile",
    args: (config) => ["run", "--config", config, "--adapter", "caddyfile"],
    checksKeys: false,
  }),
  library("http-proxy-3", "http-proxy-3"),
  library("fastify-http-proxy", "@fastify/http-proxy"),
  library("httpxy", "httpxy"),
  { ...library("node-splice", "node-splice"), title: "two sockets in Node, bytes unread", needs: undefined },
];

export function titleOf(rival: string): string {
  return rivals.find(({ name }) => name === rival)?.title ?? rival;
}

export function isThere({ needs }: Rival): boolean {
  if (needs === undefined) return true;
  return "program" in needs ? isInstalled(needs.program) : versionOfPackage(needs.package) !== undefined;
}

/** Read from its folder: many packages do not export their package.json. */
export function versionOfPackage(name: string): string | undefined {
  try {
    const text = readFileSync(join(projectFolder, "node_modules", name, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** The first number with dots that the program says of itself; undefined where it is not installed. */
export function versionOfProgram(program: string, args: readonly string[]): string | undefined {
  if (!isInstalled(program)) return undefined;
  try {
    const said = execFileSync("sh", [
      "-c",
      `PATH="$PATH:/usr/sbin" ${program} ${args.join(" ")} 2>&1 || true`,
    ]);
    return /\d+\.\d+(?:\.\d+)?/.exec(said.toString())?.[0];
  } catch {
    return undefined;
  }
}
