/**
 * slowhttptest against a gate, in one of its modes, while a good client goes on asking: what that
 * one sees is the result. The attackers' routes are public, so that they need no key; the upstream
 * is a process of its own.
 */
import { type Child, startChild } from "../support/child.ts";
import { startEchoProcess } from "../support/echo-upstream.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { type Asked, ask } from "../support/http-client.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

/** More than kernels hold for a client that hardly reads, so that the gate holds the rest back. */
const DOWNLOAD = "/download?bytes=20000000";

/** What each mode does, as options of slowhttptest, and on which path it hurts most. */
const modes = {
  headers: { options: ["-H", "-i", "2"], path: "/v1/memories" },
  body: { options: ["-B", "-i", "2", "-s", "8192"], path: "/open/upload" },
  read: { options: ["-X", "-n", "1", "-w", "10", "-y", "20", "-z", "32"], path: DOWNLOAD },
} as const;

export type SlowMode = keyof typeof modes;
export const slowModes = Object.keys(modes) as readonly SlowMode[];

export interface SlowAttackOptions {
  readonly tool: string;
  readonly mode: SlowMode;
  readonly connections: number;
  readonly seconds: number;
  /** Told of the good client's requests so far, and of those that failed. */
  readonly onProgress?: (requests: number, failures: number) => void;
}

export interface SlowAttackReport {
  readonly mode: SlowMode;
  /** Connections that the attacker opened, those that the gate has closed since included. */
  readonly attackers: number;
  /** The attacker's own opinion, each second. */
  readonly saidAvailable: number;
  readonly saidUnavailable: number;
  /** What the good client asked for, and what was not a 200 within its patience. */
  readonly requests: number;
  readonly failures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A person's patience, rather than a test's. */
const PATIENCE_MS = 5000;
const PAUSE_MS = 20;

export async function runSlowAttack(options: SlowAttackOptions): Promise<SlowAttackReport> {
  const { tool, mode, connections, seconds } = options;
  await using upstream = await startEchoProcess();
  await using folder = await makeTempFolder();
  const key = makeKey();
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: upstream.url,
    keys: [key],
    config: {
      routes: [{ path: "/open/**", public: true }, { path: "/download", public: true }, { path: "/**" }],
      log: { access: false },
    },
  });
  await using gate = await startGateProcess(configFile);
  const { options: modeOptions, path } = modes[mode];
  const rate = Math.max(200, Math.ceil(connections / 4));
  const args = [
    ...modeOptions,
    "-c",
    connections,
    "-r",
    rate,
    "-l",
    seconds,
    "-p",
    "3",
    "-u",
    gate.url + path,
  ];
  await using attack = await startChild(tool, args.map(String));
  const seen = await askMeanwhile(attack, gate.url, { key: key.secret }, options.onProgress);
  return { mode, ...opinionOf(attack.stdout), ...seen };
}

type Seen = Pick<SlowAttackReport, "requests" | "failures" | "p50Ms" | "p99Ms" | "maxMs">;

/** Reads and small uploads by turns, one after the other, for as long as the attack goes on. */
async function askMeanwhile(
  attack: Child,
  url: string,
  asked: Asked,
  onProgress: SlowAttackOptions["onProgress"],
): Promise<Seen> {
  const failures: string[] = [];
  const tookMs: number[] = [];
  while (attack.exit === undefined) {
    const startedMs = performance.now();
    const upload = tookMs.length % 2 === 1 ? { method: "POST", body: '{"text":"tea"}' } : {};
    try {
      const { status } = await ask(`${url}/v1/memories`, { ...asked, ...upload }, PATIENCE_MS);
      if (status !== 200) failures.push(`status ${status}`);
    } catch (error) {
      failures.push(String(error));
    }
    tookMs.push(performance.now() - startedMs);
    onProgress?.(tookMs.length, failures.length);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (part: number): number => {
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  };
  return { requests: tookMs.length, failures, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** slowhttptest paints its status on the terminal, second by second. */
function opinionOf(
  output: string,
): Pick<SlowAttackReport, "attackers" | "saidAvailable" | "saidUnavailable"> {
  const plain = output.replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, "");
  const connections = [...plain.matchAll(/connected:\s+(\d+)\s+error:\s+(\d+)\s+closed:\s+(\d+)/g)].map(
    ([, connected, errors, closed]) => Number(connected) + Number(errors) + Number(closed),
  );
  const said = (word: string): number => plain.split(new RegExp(`available:\\s+${word}`)).length - 1;
  return {
    attackers: Math.max(0, ...connections),
    saidAvailable: said("YES"),
    saidUnavailable: said("NO"),
  };
}
