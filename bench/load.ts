/**
 * Load from one process on the other core: wrk where it is installed, else autocannon, whose clock
 * counts whole milliseconds. Closed loop: as fast as answers come.
 */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import autocannon from "autocannon";
import { benchFolder, isInstalled } from "./lab.ts";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** Taken in turn. */
  readonly secrets: readonly string[];
  readonly method?: "GET" | "POST";
  readonly bodyBytes?: number;
  /** A connection for each request. */
  readonly churns?: boolean;
  /** Where the file of secrets may stand. */
  readonly folder: string;
}

export interface Loaded {
  readonly requests: number;
  readonly seconds: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers from 400 on. */
  readonly refused: number;
  /** Requests without an answer. */
  readonly broken: number;
}

export const loadTools = ["wrk", "autocannon"] as const;
export type LoadTool = (typeof loadTools)[number];

export const defaultTool: LoadTool = isInstalled("wrk") ? "wrk" : "autocannon";

export async function run(load: Load, tool: LoadTool = defaultTool): Promise<Loaded> {
  return tool === "wrk" ? await runWrk(load) : await runAutocannon(load);
}

let filesWritten = 0;

async function runWrk(load: Load): Promise<Loaded> {
  const [secret] = load.secrets;
  let file = "-";
  if (load.secrets.length > 1) {
    file = join(load.folder, `secrets-${++filesWritten}`);
    await writeFile(file, `${load.secrets.join("\n")}\n`);
  }
  const headers = [
    ...(file === "-" && secret !== undefined ? ["-H", `Authorization: Bearer ${secret}`] : []),
    ...(load.churns === true ? ["-H", "Connection: close"] : []),
  ];
  const output = await outputOf("wrk", [
    "-t1",
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    "--timeout",
    "10s",
    ...headers,
    "-s",
    join(benchFolder, "load/wrk.lua"),
    `http://127.0.0.1:${load.port}${load.path}`,
    "--",
    load.method ?? "GET",
    String(load.bodyBytes ?? 0),
    file,
  ]);
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`wrk said nothing: ${output}`);
  return JSON.parse(line) as Loaded;
}

async function runAutocannon(load: Load): Promise<Loaded> {
  const body = load.bodyBytes === undefined ? undefined : Buffer.alloc(load.bodyBytes, "x");
  const requests = load.secrets.map((secret) => ({
    method: load.method ?? "GET",
    path: load.path,
    headers: { authorization: `Bearer ${secret}` },
    ...(body === undefined ? {} : { body }),
  }));
  const result = await autocannon({
    url: `http://127.0.0.1:${load.port}`,
    connections: load.connections,
    duration: load.seconds,
    requests,
    // It counts the end of the connection as a reconnect, not as an error.
    ...(load.churns === true ? { reconnectRate: 1 } : {}),
  });
  return {
    requests: result.requests.total,
    seconds: result.duration,
    p50: result.latency.p50 * 1000,
    p99: result.latency.p99 * 1000,
    refused: result.non2xx,
    broken: result.errors,
  };
}

/** Runs a program of the bench's own (bench/load/*.ts) that writes one JSON line at its end. */
export async function runOwn<T>(script: string, args: readonly string[]): Promise<T> {
  return JSON.parse(await outputOf(process.execPath, [join(benchFolder, "load", script), ...args])) as T;
}

function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}: ${complaint}${output}`));
    });
  });
}
