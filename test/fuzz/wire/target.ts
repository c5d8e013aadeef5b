/**
 * The gate as users run it, for millions of requests: nothing of its log is kept, each piece is
 * searched for what must not be in it as it comes.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { writeGateFiles } from "../../support/fixtures.ts";
import { launcher, linesOf } from "../../support/gate-process.ts";
import { ask } from "../../support/http-client.ts";
import { readSeries } from "../../support/metrics-text.ts";
import { projectRoot } from "../../support/source-files.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";
import { wireRoutes } from "../../wire/harness/fixture.ts";
import { KEYS, SECRETS } from "./keys.ts";

/** What is fuzzed. */
export interface Target extends AsyncDisposable {
  readonly port: number;
  /** How it ended, with its last words; undefined while it runs. */
  readonly ending: string | undefined;
  /** Requests that it is at work on, by its own count. */
  inFlight(): Promise<number>;
}

/** @param onLeak told of what must not be in its output */
export type TargetStart = (upstreamUrl: string, onLeak: (what: string) => void) => Promise<Target>;

interface UpstreamTimeouts {
  readonly headers: string;
  readonly idle: string;
}

/** The rules of the wire cases, and timers short enough for a million clients that fall silent. */
function configFor(upstreamUrl: string, timeouts: UpstreamTimeouts): Readonly<Record<string, unknown>> {
  return {
    upstreams: { default: { url: upstreamUrl, timeouts } },
    key_format: { prefix: "mem", environments: ["prod"] },
    routes: wireRoutes,
    timeouts: { headers: "500ms", body_idle: "500ms", read_idle: "1s" },
    // A busy test machine must not look like an overloaded gate.
    bounds: { event_loop_delay: "0s" },
  };
}

export async function startGate(
  upstreamUrl: string,
  onLeak: (what: string) => void,
  timeouts: UpstreamTimeouts = { headers: "2s", idle: "2s" },
): Promise<Target> {
  const folder = await makeTempFolder();
  const files = { upstreamUrl, keys: KEYS, config: configFor(upstreamUrl, timeouts) };
  const { configFile } = await writeGateFiles(folder, files);
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    process.execPath,
    [launcher, "serve", "--config", configFile],
    { cwd: projectRoot, stdio: ["ignore", "pipe", "pipe"] },
  );
  const output = new OutputWatch(onLeak);
  child.stdout.setEncoding("utf8").on("data", (text: string) => output.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => output.push(text));
  let ending: string | undefined;
  const closed = once(child, "close").then(([code, signal]: unknown[]) => {
    ending = `${String(code ?? signal)}: ${output.end}`;
    return ending;
  });
  const stop = async (): Promise<void> => {
    if (ending === undefined) child.kill("SIGKILL");
    await closed;
    await folder[Symbol.asyncDispose]();
  };
  try {
    const { port, opsUrl } = await addressesOf(output, () => ending);
    return {
      port,
      get ending() {
        return ending;
      },
      async inFlight() {
        const page = await ask(`${opsUrl}/metrics`);
        return readSeries(page.text).get("keyward_requests_in_flight") ?? Number.NaN;
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Addresses {
  readonly port: number;
  readonly opsUrl: string;
}

async function addressesOf(output: OutputWatch, ending: () => string | undefined): Promise<Addresses> {
  const line = await waitFor(
    "the gate to listen",
    () => (ending() === undefined ? linesOf(output.start).find(({ msg }) => msg === "listening") : "ended"),
    { deadlineMs: 30_000 },
  );
  if (line === "ended") throw new Error(`the gate ended at once: ${ending()}`);
  return { port: Number(new URL(String(line["url"])).port), opsUrl: String(line["ops"]) };
}

/** Longer than any secret, so that one cut in two by a read is still found. */
const OVERLAP = 200;
const KEPT = 2000;
const BUG = /"level":"(?:error|fatal)"/;

/** I3 and I6 in all that the gate writes. */
class OutputWatch {
  /** First and last words. */
  start = "";
  end = "";
  readonly #onLeak: (what: string) => void;
  #tail = "";

  constructor(onLeak: (what: string) => void) {
    this.#onLeak = onLeak;
  }

  push(text: string): void {
    const seen = this.#tail + text;
    const secret = SECRETS.find((each) => seen.includes(each));
    const bug = BUG.exec(seen)?.[0];
    if (secret !== undefined) this.#onLeak(`I3 key: in the log ${around(seen, secret)}`);
    if (bug !== undefined) this.#onLeak(`I6 bug: logged ${around(seen, bug)}`);
    // What was told once is not told again.
    this.#tail = secret === undefined && bug === undefined ? seen.slice(-OVERLAP) : "";
    this.end = (this.end + text).slice(-KEPT);
    if (this.start.length < KEPT) this.start += text;
  }
}

function around(text: string, found: string): string {
  const at = text.indexOf(found);
  return text.slice(Math.max(0, at - 300), at + 600);
}
