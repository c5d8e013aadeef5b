/**
 * The gate of a storm: a process of its own with short timers, its log in a file, and limits of the
 * operating system where the storm wants them. Says what it holds: descriptors, memory, metrics.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { type Child, startChild } from "../support/child.ts";
import { type KeyFixture, makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type LogLine, launcher, linesOf } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { readSeries } from "../support/metrics-text.ts";
import { projectRoot } from "../support/source-files.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";
import type { StormKey } from "./shot.ts";

export interface StormKeys {
  readonly keys: readonly StormKey[];
  readonly revokedSecret: string;
  readonly readOnlySecret: string;
  readonly fixtures: readonly KeyFixture[];
}

export function makeStormKeys(): StormKeys {
  const good = Array.from({ length: 8 }, (_, i) => makeKey({ organization: { id: `org_${i}` } }));
  const revoked = makeKey({ revoked_at: "2025-01-01T00:00:00Z" });
  const readOnly = makeKey({ scopes: ["read"] });
  return {
    keys: good.map(({ secret, record }) => ({
      secret,
      id: record.id,
      organization: record.organization?.id ?? "",
    })),
    revokedSecret: revoked.secret,
    readOnlySecret: readOnly.secret,
    fixtures: [...good, revoked, readOnly],
  };
}

export interface Limits {
  /** Most open file descriptors. */
  readonly descriptors?: number;
  /** Size that no file may pass: a disk that is full beyond it. */
  readonly fileKiB?: number;
}

export interface StormGateOptions {
  readonly upstreamUrl: string;
  readonly muteUrl: string;
  readonly keys: StormKeys;
  readonly limits?: Limits;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
}

/** What a gate holds at a moment. */
export interface Holdings {
  readonly descriptors: number;
  readonly sockets: number;
  readonly rssMiB: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly upstreamConnected: number;
  readonly upstreamRunning: number;
  readonly upstreamWaiting: number;
}

export interface StormGate extends AsyncDisposable {
  readonly port: number;
  readonly opsUrl: string;
  readonly child: Child;
  readonly folder: TempFolder;
  readonly logFile: string;
  readonly configFile: string;
  logText(): string;
  log(): readonly LogLine[];
  holdings(): Promise<Holdings>;
  metric(series: string): Promise<number>;
}

/** Timers that a storm can wait for. */
export function stormConfig(
  { upstreamUrl, muteUrl, config }: StormGateOptions,
  folder: TempFolder,
): Record<string, unknown> {
  const auth = { header: "authorization", scheme: "Token", value: "backend" };
  const timeouts = { connect: "500ms", headers: "1s", idle: "1s", total: "3s" };
  return {
    shutdown_grace: "5s",
    upstreams: {
      default: { url: upstreamUrl, auth, timeouts, connections: 1024 },
      narrow: { url: upstreamUrl, auth, timeouts, connections: 4, queue: 8 },
      late: { url: upstreamUrl, auth, timeouts, connections: 1024 },
      gone: { url: `unix:${folder.file("gone.sock")}`, auth, timeouts },
      mute: { url: muteUrl, auth, timeouts },
    },
    routes: [
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
      { path: "/v1/memories/**", methods: ["POST"], scopes: ["write"] },
      ...["narrow", "late", "gone", "mute"].map((name) => ({ path: `/${name}/**`, upstream: name })),
    ],
    bounds: { body: "1MiB" },
    timeouts: { headers: "1s", body_idle: "1s", read_idle: "1s", keep_alive: "1s", websocket_idle: "1s" },
    ...config,
  };
}

export async function startStormGate(options: StormGateOptions): Promise<StormGate> {
  const folder = await makeTempFolder();
  let child: Child | undefined;
  try {
    const config = stormConfig(options, folder);
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: options.upstreamUrl,
      keys: options.keys.fixtures,
      config,
    });
    const logFile = await folder.write("gate.log", "");
    const { descriptors, fileKiB } = options.limits ?? {};
    const setLimits = [
      ...(descriptors === undefined ? [] : [`ulimit -n ${descriptors}`]),
      ...(fileKiB === undefined ? [] : [`ulimit -f ${fileKiB}`]),
      'log="$1"; shift; exec "$@" >>"$log"',
    ].join(" && ");
    // bash: ulimit -f counts KiB there and half KiB in dash.
    child = await startChild(
      "bash",
      [
        "-c",
        setLimits,
        "bash",
        logFile,
        process.execPath,
        ...(options.nodeOptions ?? []),
        `--import=${projectRoot}/test/faults/gate-stalls.ts`,
        launcher,
        "serve",
        "--config",
        configFile,
      ],
      {
        env: { NODE_DISABLE_COMPILE_CACHE: fileKiB === undefined ? undefined : "1" },
      },
    );
    const running = child;
    const logText = (): string => readFileSync(logFile, "utf8");
    const listening = await waitFor("the gate to listen", () => {
      if (running.exit !== undefined) throw new Error(`the gate ended: ${running.stderr}${logText()}`);
      return linesOf(logText()).find((line) => line["msg"] === "listening");
    });
    const opsUrl = String(listening["ops"]);
    const series = async (): Promise<ReadonlyMap<string, number>> =>
      readSeries((await ask(`${opsUrl}/metrics`)).text);
    return {
      port: Number(new URL(String(listening["url"])).port),
      opsUrl,
      child: running,
      folder,
      logFile,
      configFile,
      logText,
      log: () => linesOf(logText()),
      holdings: async () => holdingsOf(running.pid, await series()),
      metric: async (name) => (await series()).get(name) ?? Number.NaN,
      async [Symbol.asyncDispose]() {
        await running[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await child?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

function holdingsOf(pid: number, series: ReadonlyMap<string, number>): Holdings {
  const value = (name: string): number => series.get(name) ?? Number.NaN;
  const connections = (state: string): number => value(`keyward_upstream_connections{state="${state}"}`);
  const open = descriptorsOf(pid);
  return {
    descriptors: open.length,
    sockets: open.filter((target) => target.startsWith("socket:")).length,
    rssMiB: rssMiBOf(pid),
    inFlight: value("keyward_requests_in_flight"),
    tunnels: value("keyward_websocket_tunnels"),
    upstreamConnected: connections("connected"),
    upstreamRunning: connections("running"),
    upstreamWaiting: connections("pending") + connections("queued"),
  };
}

/** What each open descriptor of a process points to. Linux. */
export function descriptorsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // Closed in between.
      return [];
    }
  });
}

export function rssMiBOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}
