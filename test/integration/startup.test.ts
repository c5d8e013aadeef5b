/**
 * A gate that cannot be sure of its config and keys does not open: exit code 78, the file named, and
 * no port that ever answered.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, truncateSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import { loadGateConfig } from "../../src/config/load.ts";
import { loadKeyFile } from "../../src/keys/file-source.ts";
import { type GateFiles, makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startChild } from "../support/child.ts";
import { launcher } from "../support/gate-process.ts";
import { lastingPort } from "../support/listening.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";

const EXIT_CONFIG = 78;

/** Two ports that are free now, and that nobody who asks for any port is given. */
async function freePorts(): Promise<readonly [number, number]> {
  return [await lastingPort(), await lastingPort()];
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

const readText = (file: string): string => readFileSync(file, "utf8");

interface Attempt {
  readonly code: number | null;
  readonly output: string;
  /** Did one of its ports ever take a connection? */
  readonly hasOpened: boolean;
}

/** @param as words put before the command, such as `setpriv` and its options */
async function tryToStart(
  configFile: string,
  ports: readonly number[],
  as: readonly string[] = [],
): Promise<Attempt> {
  const [program, ...args] = [...as, process.execPath, launcher, "serve", "--config", configFile];
  await using child = await startChild(program, args);
  let hasOpened = false;
  while (child.exit === undefined) {
    for (const port of ports) hasOpened ||= await answers(port);
    await new Promise((resolve) => setTimeout(resolve, 5));
    // One that opens would serve on for ever.
    if (hasOpened) child.kill("SIGTERM");
  }
  const { code } = await child.ended();
  return { code, output: child.stdout + child.stderr, hasOpened };
}

interface Scene extends GateFiles {
  readonly folder: TempFolder;
  readonly ports: readonly [number, number];
}

async function writeScene(folder: TempFolder, workers: number): Promise<Scene> {
  const ports = await freePorts();
  const [port, opsPort] = ports;
  const files = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:9",
    keys: [makeKey(), makeKey({ revoked_at: "2025-01-01T00:00:00Z" })],
    config: { workers, listen: { host: "127.0.0.1", port }, ops: { host: "127.0.0.1", port: opsPort } },
  });
  return { ...files, folder, ports };
}

type Spoil = (file: string) => unknown;

/** What can be wrong with either file. */
const SPOILS: readonly (readonly [what: string, spoil: Spoil])[] = [
  ["missing", async (file) => await rm(file)],
  ["empty", (file) => truncateSync(file)],
  ["blank", async (file) => await writeFile(file, "\n \n\n")],
  ["comments alone", async (file) => await writeFile(file, "# to be written\n")],
  ["a folder", (file) => replace(file, () => mkdirSync(file))],
  ["a link to nowhere", (file) => replace(file, () => symlinkSync("nowhere", file))],
  ["a link to itself", (file) => replace(file, () => symlinkSync(file, file))],
  ["a named pipe", (file) => replace(file, () => execFileSync("mkfifo", [file]))],
  ["not text", async (file) => await writeFile(file, Buffer.from([0xff, 0xfe, 0x00, 0x0a]))],
  ["not YAML", async (file) => await writeFile(file, "keys: [\n")],
  ["a list", async (file) => await writeFile(file, "- a\n")],
  ["two documents", async (file) => await writeFile(file, `${readText(file)}---\n${readText(file)}`)],
  ["written twice", async (file) => await writeFile(file, readText(file) + readText(file))],
  ["holding what it does not know", async (file) => await writeFile(file, `${readText(file)}surprise: 1\n`)],
  ["of zeros, as after a crash", async (file) => await writeFile(file, Buffer.alloc(512))],
];

function replace(file: string, make: () => unknown): void {
  execFileSync("rm", [file]);
  make();
}

/** Root may read everything. */
const asNobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];

describe.each(["configFile", "keysFile"] as const)("a %s that is", (which) => {
  test.each(SPOILS)("%s keeps the gate shut", async (_what, spoil) => {
    await using folder = await makeTempFolder();
    const scene = await writeScene(folder, 1);
    await spoil(scene[which]);
    const { code, output, hasOpened } = await tryToStart(scene.configFile, scene.ports);
    expect({ code, hasOpened }).toEqual({ code: EXIT_CONFIG, hasOpened: false });
    expect(output).toContain(scene[which]);
  });

  test("not readable keeps the gate shut", async () => {
    await using folder = await makeTempFolder();
    const scene = await writeScene(folder, 1);
    chmodSync(folder.path, 0o755);
    chmodSync(scene[which], 0);
    const { code, output, hasOpened } = await tryToStart(scene.configFile, scene.ports, asNobody);
    expect({ code, hasOpened }).toEqual({ code: EXIT_CONFIG, hasOpened: false });
    expect(output).toContain("may not be read");
  });

  test("empty keeps a gate of several workers shut as well", async () => {
    await using folder = await makeTempFolder();
    const scene = await writeScene(folder, 2);
    truncateSync(scene[which]);
    const { code, hasOpened } = await tryToStart(scene.configFile, scene.ports);
    expect({ code, hasOpened }).toEqual({ code: EXIT_CONFIG, hasOpened: false });
  });

  test("cut at every fiftieth byte keeps the gate shut", async () => {
    await using folder = await makeTempFolder();
    const { [which]: file } = await writeScene(folder, 1);
    const text = readText(file);
    const cuts = Array.from({ length: Math.floor(text.length / 50) }, (_, i) => (i + 1) * 50);
    const opened: number[] = [];
    const next = async (): Promise<void> => {
      for (let cut = cuts.shift(); cut !== undefined; cut = cuts.shift()) {
        if (text[cut - 1] === "\n") continue;
        await using own = await makeTempFolder();
        const scene = await writeScene(own, 1);
        await writeFile(scene[which], readText(scene[which]).slice(0, cut));
        const { code, hasOpened } = await tryToStart(scene.configFile, scene.ports);
        if (code !== EXIT_CONFIG || hasOpened) opened.push(cut);
      }
    };
    await Promise.all([next(), next(), next()]);
    expect(opened).toEqual([]);
  });

  test("cut anywhere inside a line is refused", async () => {
    await using folder = await makeTempFolder();
    const { [which]: file } = await writeScene(folder, 1);
    const text = readText(file);
    const taken: string[] = [];
    for (let cut = 0; cut < text.length; cut++) {
      const rest = text.slice(0, cut);
      if (/[\n}\]]$/.test(rest)) continue;
      await writeFile(file, rest);
      const { ok } = which === "configFile" ? loadGateConfig(file, {}) : loadKeyFile(file, {});
      if (ok) taken.push(rest.slice(-30));
    }
    expect(taken).toEqual([]);
  });
});

test("a config in brackets needs no line break at its end, and is refused wherever it is cut", async () => {
  await using folder = await makeTempFolder();
  const { configFile } = await writeScene(folder, 1);
  const config = {
    upstreams: { default: { url: "http://127.0.0.1:9" } },
    keys: { file: "keys.yaml" },
    routes: [{ path: "/a" }],
  };
  const text = JSON.stringify(config);
  const loads = async (content: string): Promise<boolean> => {
    await writeFile(configFile, content);
    return loadGateConfig(configFile, {}).ok;
  };
  expect(await loads(text)).toBe(true);
  for (let cut = 0; cut < text.length; cut++) expect(await loads(text.slice(0, cut))).toBe(false);
});

test("secrets that cannot be had keep the gate shut", async () => {
  for (const auth of [
    { header: "authorization", value: "${NOT_SET_ANYWHERE}" },
    { header: "authorization", value_file: "missing.secret" },
  ]) {
    await using folder = await makeTempFolder();
    const { configFile, ports } = await writeScene(folder, 1);
    const config = {
      upstreams: { default: { url: "http://127.0.0.1:9", auth } },
      keys: { file: "keys.yaml" },
      routes: [{ path: "/**" }],
    };
    await writeFile(configFile, stringify(config));
    const { code, hasOpened } = await tryToStart(configFile, ports);
    expect({ code, hasOpened }).toEqual({ code: EXIT_CONFIG, hasOpened: false });
  }
});

test("a port that is taken is a failure, and leaves neither port open", async () => {
  await using folder = await makeTempFolder();
  const { configFile, ports } = await writeScene(folder, 1);
  const [taken, other] = ports;
  const holder = createServer((socket) => socket.destroy()).listen(taken, "127.0.0.1");
  try {
    const { code, hasOpened } = await tryToStart(configFile, []);
    expect({ code, hasOpened }).toEqual({ code: 1, hasOpened: false });
    expect(await answers(other)).toBe(false);
  } finally {
    await new Promise((resolve) => holder.close(resolve));
  }
});
