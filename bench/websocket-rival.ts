/**
 * Which way to carry WebSockets: the same cases against http-proxy-3's `ws` and against the gate.
 * `npm run bench:websocket` prints the table and, with `--write`, keeps it in bench/websocket.md.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { percentile } from "../test/support/figures.ts";
import { openWebSocket } from "../test/support/ws-client.ts";
import { startWsUpstream } from "../test/support/ws-upstream.ts";
import { within } from "../test/support/wait-for.ts";
import { type Case, cases } from "./websocket/cases.ts";
import { gateRival } from "./websocket/gate-rival.ts";
import { bareRival, wrappedRival } from "./websocket/http-proxy-rival.ts";
import { type Rival, key } from "./websocket/rival.ts";

const CASE_DEADLINE_MS = 15_000;
const rivals = [bareRival, wrappedRival, gateRival];
/** Speeds are measured in turns, and the median is taken: a neighbour's burst hits all alike. */
const SPEED_ROUNDS = 5;

/** Errors that nobody caught: in a gate they would have ended the process. */
const uncaught: string[] = [];
process.on("uncaughtException", (error) => uncaught.push(error.message));
process.on("unhandledRejection", (error) => uncaught.push(String(error)));

async function judge(one: Case, rival: Rival): Promise<string> {
  uncaught.length = 0;
  const wrong = await within(one.name, one.run(rival), CASE_DEADLINE_MS).catch((error: unknown) =>
    error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error),
  );
  if (uncaught.length > 0) return `**uncaught**: ${uncaught[0]}`;
  return wrong === undefined ? "yes" : `**no**: ${wrong.slice(0, 90)}`;
}

interface Speed {
  readonly handshakeMs: number;
  readonly roundTripUs: number;
  readonly echoMiBs: number;
}

async function speedOf(rival: Rival): Promise<Speed> {
  await using upstream = await startWsUpstream();
  await using running = await rival.start(upstream.url);
  const url = `${running.url}/v1/memories/live`;
  const handshake = async (): Promise<void> => {
    await using client = await openWebSocket(url, { key: key.secret });
    const closed = once(client.socket, "close");
    client.socket.close();
    await closed;
  };
  const handshakeMs = (await timeOf(100, handshake)) / 100;

  await using client = await openWebSocket(url, { key: key.secret });
  const echo = async (message: Buffer): Promise<void> => {
    const answered = new Promise<void>((resolve) => client.socket.once("message", () => resolve()));
    client.socket.send(message);
    await answered;
    client.messages.length = 0;
  };
  const small = Buffer.alloc(64);
  const roundTripUs = ((await timeOf(1000, () => echo(small))) * 1000) / 1000;
  const large = Buffer.alloc(1024 * 1024);
  const echoMiBs = 32 / ((await timeOf(32, () => echo(large))) / 1000);
  return { handshakeMs, roundTripUs, echoMiBs };
}

/** Milliseconds for so many, after some to warm up. */
async function timeOf(times: number, work: () => Promise<void>): Promise<number> {
  for (let i = 0; i < times / 5; i++) await work();
  const startedMs = performance.now();
  for (let i = 0; i < times; i++) await work();
  return performance.now() - startedMs;
}

/** One row for each figure. */
async function speedRows(): Promise<readonly (readonly string[])[]> {
  const rounds = new Map(rivals.map((rival) => [rival, [] as Speed[]]));
  for (let round = 0; round < SPEED_ROUNDS; round++) {
    for (const [rival, speeds] of rounds) speeds.push(await speedOf(rival));
  }
  const cells = (figure: (speed: Speed) => number, digits: number, unit: string): readonly string[] =>
    rivals.map((rival) => {
      const median = percentile((rounds.get(rival) ?? []).map(figure), 0.5);
      return `${median.toFixed(digits)} ${unit}`;
    });
  return [
    ["handshake and close, one after the other", ...cells((speed) => speed.handshakeMs, 2, "ms")],
    ["round trip of 64 bytes", ...cells((speed) => speed.roundTripUs, 0, "µs")],
    ["echo of 1 MiB messages", ...cells((speed) => speed.echoMiBs, 0, "MiB/s")],
  ];
}

function versionOf(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string };
  return `${name} ${version}`;
}

async function main(): Promise<string> {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const lines = [row(["case", ...rivals.map(({ name }) => name)]), row(["---", ...rivals.map(() => "---")])];
  for (const one of cases) {
    const cells = [];
    for (const rival of rivals) cells.push(await judge(one, rival));
    lines.push(row([one.name, ...cells]));
  }
  for (const cells of await speedRows()) lines.push(row(cells));
  return lines.join("\n");
}

const table = await main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
console.log(table);
if (process.argv.includes("--write")) {
  const about = [
    "# WebSockets: http-proxy-3 against the gate's own upgrade",
    "",
    "Made by `npm run bench:websocket`. All rivals sit behind the same decision and send the same rebuilt",
    "headers. http-proxy-3 runs as it comes (keep-alive agent, every error caught) and wrapped by everything",
    "in `bench/websocket/http-proxy-rival.ts`. Speeds are medians with client, rival and upstream in one",
    "process: good for comparing, not more.",
    "",
    `Node ${process.version}, ${versionOf("http-proxy-3")}, ${versionOf("undici")}.`,
    "",
  ];
  writeFileSync(fileURLToPath(new URL("websocket.md", import.meta.url)), `${about.join("\n")}\n${table}\n`);
}
process.exit(0);
