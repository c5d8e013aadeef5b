/**
 * Where the bench runs: a temporary folder, the cores that are shared out, the backends, and the
 * processes that were started. The proxy has one core for itself; load and backend share the other.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { availableParallelism, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../test/support/listening.ts";
import { FILES, SMALL_ANSWER } from "./answers.ts";
import { processTree } from "./process-cost.ts";

export const benchFolder: string = fileURLToPath(new URL(".", import.meta.url));
export const projectFolder: string = fileURLToPath(new URL("..", import.meta.url));

const START_DEADLINE_MS = 60_000;

export interface Running extends AsyncDisposable {
  readonly port: number;
  /** Of the process and its children, as they are now. */
  readonly pids: () => readonly number[];
  /** From the start of the process to its first answer. */
  readonly startMs: number;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Of a request that must succeed before it counts as started. */
  readonly probe: string;
  readonly isProxy: boolean;
  /** File for its standard output; thrown away without. */
  readonly output?: string;
}

/** The system's tools, sbin included: a plain user's PATH lacks it. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** Is the program installed? */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program], { env: { ...process.env, PATH }, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const canPin = isInstalled("taskset") && availableParallelism() > 1;

/** Prefix of a command that keeps it on one core. */
function pinned(isProxy: boolean): readonly string[] {
  return canPin ? ["taskset", "-c", isProxy ? "0" : "1"] : [];
}

export class Lab implements AsyncDisposable {
  readonly folder: string;
  readonly isPinned = canPin;
  /** Answers small requests and files. */
  backend = "";
  backendName = "";
  /** Reads uploads to their end and streams events. */
  nodeBackend = "";
  readonly #running: Running[] = [];
  #named = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Lab> {
    const lab = new Lab(await mkdtemp(join(tmpdir(), "keyward-bench-")));
    // Everything but proxies belongs on the other core, this process first.
    if (canPin) execFileSync("taskset", ["-a", "-c", "-p", "1", String(process.pid)], { stdio: "ignore" });
    const files = join(lab.folder, "files");
    await mkdir(files);
    for (const [name, bytes] of Object.entries(FILES)) {
      await writeFile(join(files, name), randomFillSync(Buffer.alloc(bytes)));
    }
    await lab.#startBackends(files);
    return lab;
  }

  async #startBackends(files: string): Promise<void> {
    const node = await this.start({
      command: process.execPath,
      args: [join(benchFolder, "upstream.ts"), "{{port}}", files],
      port: await freePort(),
      probe: request("/v1/memories/m_1"),
      isProxy: false,
    });
    this.nodeBackend = this.backend = `127.0.0.1:${node.port}`;
    this.backendName = `Node ${process.version}`;
    if (!isInstalled("nginx")) return;
    const folder = await this.makeFolder("upstream");
    const port = await freePort();
    const config = await this.render("upstream.conf", folder, {
      port: String(port),
      small: SMALL_ANSWER,
      folder: this.folder,
    });
    const nginx = await this.start({
      command: "nginx",
      args: ["-c", config],
      port,
      probe: request("/v1/memories/m_1"),
      isProxy: false,
    });
    this.backend = `127.0.0.1:${nginx.port}`;
    this.backendName = "nginx";
  }

  async makeFolder(name: string): Promise<string> {
    const folder = join(this.folder, `${name}-${++this.#named}`);
    await mkdir(folder);
    return folder;
  }

  /** A config of bench/rivals with its blanks filled in; the file stands in the folder. */
  async render(template: string, folder: string, values: Readonly<Record<string, string>>): Promise<string> {
    const all: Record<string, string> = { folder, user: userInfo().username, ...values };
    const text = await readFile(join(benchFolder, "rivals", template), "utf8");
    const rendered = text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const value = all[name];
      if (value === undefined) throw new Error(`${template}: nothing for {{${name}}}`);
      return value;
    });
    const file = join(folder, template);
    await writeFile(file, rendered);
    return file;
  }

  /** Starts a program and waits until it answers. */
  async start(program: Program): Promise<Running> {
    const { port } = program;
    const args = program.args.map((arg) => (arg === "{{port}}" ? String(port) : arg));
    const [command = "", ...rest] = [...pinned(program.isProxy), program.command, ...args];
    const output = program.output === undefined ? "ignore" : openSync(program.output, "w");
    const startedMs = performance.now();
    const child = spawn(command, rest, {
      cwd: projectFolder,
      env: { ...process.env, PATH },
      stdio: ["ignore", output, "pipe"],
    });
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    try {
      await untilAnswering(child, program, startedMs, () => complaint);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    const running: Running = {
      port,
      pids: () => processTree(child.pid ?? 0),
      startMs: performance.now() - startedMs,
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
        await gone;
        clearTimeout(timer);
      },
    };
    this.#running.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.toReversed()) await running[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function untilAnswering(
  child: ChildProcess,
  { port, probe, command }: Program,
  startedMs: number,
  complaint: () => string,
): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${complaint()}`);
    if (await answers(port, probe)) return;
    if (performance.now() - startedMs > START_DEADLINE_MS)
      throw new Error(`${command} does not answer: ${complaint()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Does the request get the backend's answer? A server that says 200 of itself has carried nothing. */
function answers(port: number, probe: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(probe));
    const end = (isGood: boolean): void => {
      socket.destroy();
      resolve(isGood);
    };
    let text = "";
    socket.setEncoding("latin1").on("data", (piece) => {
      text += String(piece);
      if (text.endsWith(SMALL_ANSWER)) end(text.startsWith("HTTP/1.1 200"));
    });
    socket.setTimeout(2000, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => resolve(false));
  });
}

/** The bytes of a GET. */
export function request(path: string, secret?: string): string {
  const credential = secret === undefined ? "" : `Authorization: Bearer ${secret}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: bench.test\r\n${credential}\r\n`;
}
