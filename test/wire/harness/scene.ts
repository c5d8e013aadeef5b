/**
 * What every case runs against: one gate, started as users start it, and one upstream on a bare
 * socket that records all it gets.
 */
import type { HttpMessage } from "../../support/http-message.ts";
import { writeGateFiles } from "../../support/fixtures.ts";
import { type GateProcess, type LogLine, startGateProcess } from "../../support/gate-process.ts";
import { connectRaw } from "../../support/raw-client.ts";
import {
  type RawBehaviour,
  type RawConnection,
  type RawUpstream,
  answerOf,
  startRawUpstream,
} from "../../support/raw-upstream.ts";
import { type TempFolder, makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Words } from "./bytes.ts";
import { makeKeys, wireConfig } from "./fixture.ts";

/** What reached upstream and log since the case began. */
export interface Recording {
  readonly forwarded: readonly HttpMessage[];
  /** Every byte that the gate sent to the upstream. */
  readonly bytes: string;
  /** What a strict reader found wrong in them; a message cut short is not wrong. */
  readonly problems: readonly string[];
  readonly log: string;
}

const PROBE = "/v1/memories/probe-";

export function isProbe(target: unknown): boolean {
  return String(target).startsWith(PROBE);
}

export class WireScene implements AsyncDisposable {
  readonly gate: GateProcess;
  readonly upstream: RawUpstream;
  readonly words: Words;
  readonly #folder: TempFolder;
  /** Messages in the order in which their heads arrived, over all connections. */
  readonly #arrived: readonly HttpMessage[];
  #probes = 0;
  #marks = new Map<RawConnection, number>();
  #seen = new Set<HttpMessage>();
  #problemsSeen = new Set<RawConnection>();
  #logMark = 0;

  private constructor(
    folder: TempFolder,
    upstream: RawUpstream,
    gate: GateProcess,
    words: Words,
    arrived: readonly HttpMessage[],
  ) {
    this.#folder = folder;
    this.#arrived = arrived;
    this.upstream = upstream;
    this.gate = gate;
    this.words = words;
  }

  /**
   * @param behaviour of the upstream; it answers 200 to every whole message without one. A probe gets
   *   its own target as its answer, whatever the behaviour.
   * @param upstreamOptions of the gate's config
   */
  static async open(
    behaviour: RawBehaviour = { onMessage: answerOk },
    upstreamOptions: Readonly<Record<string, unknown>> = {},
  ): Promise<WireScene> {
    const folder = await makeTempFolder();
    const arrived: HttpMessage[] = [];
    const upstream = await startRawUpstream({
      onHead: (message, connection) => {
        arrived.push(message);
        if (!isProbe(message.target)) behaviour.onHead?.(message, connection);
      },
      onMessage: (message, connection) => {
        if (isProbe(message.target)) connection.send(answerOf(200, message.target));
        else behaviour.onMessage?.(message, connection);
      },
    });
    const { fixtures, words } = makeKeys();
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: fixtures,
      config: wireConfig({ url: upstream.url, ...upstreamOptions }),
    });
    const gate = await startGateProcess(configFile);
    return new WireScene(folder, upstream, gate, words, arrived);
  }

  /** From here on a new recording. */
  startRecording(): void {
    this.#marks = new Map(this.upstream.connections.map((each) => [each, each.received.length]));
    this.#seen = new Set(this.#arrived);
    this.#problemsSeen = new Set(
      this.upstream.connections.filter(({ reader }) => reader.problem !== undefined),
    );
    this.#logMark = this.gate.output.length;
  }

  /**
   * Asks for a clean answer on a new connection: proof that the gate lives, and the point behind
   * which nothing of the case is still on its way. The log comes up to a second later: only who
   * reads it waits for it. @returns milliseconds that it took
   */
  async probe({ untilLogged }: { untilLogged: boolean }): Promise<number> {
    const startMs = performance.now();
    await using client = await connectRaw(this.gate.url);
    const target = `${PROBE}${++this.#probes}`;
    client.send(
      `GET ${target} HTTP/1.1\r\nHost: gw.local\r\nAuthorization: Bearer ${this.words["KEY_A"]}\r\n\r\n`,
    );
    const { status, text } = await client.answer(5000);
    if (status !== 200 || text !== target) throw new Error(`the next clean request got ${status} ${text}`);
    const tookMs = performance.now() - startMs;
    if (untilLogged)
      await waitFor("the probe in the log", () => this.gate.output.includes(`"path":"${target}"`));
    return tookMs;
  }

  recording(): Recording {
    const { connections } = this.upstream;
    const problems = connections
      .filter((connection) => !this.#problemsSeen.has(connection))
      .map(({ reader }) => reader.problem)
      .filter((problem) => problem !== undefined && !problem.startsWith("ended inside a message"));
    return {
      forwarded: this.#arrived.filter((message) => !this.#seen.has(message) && !isProbe(message.target)),
      bytes: connections.map((each) => each.received.slice(this.#marks.get(each) ?? 0)).join(""),
      problems: problems.filter((problem) => problem !== undefined),
      log: this.gate.output.slice(this.#logMark),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

export function answerOk(message: HttpMessage, connection: RawConnection): void {
  const answer = answerOf(200, "ok");
  connection.send(message.method === "HEAD" ? answer.slice(0, -"ok".length) : answer);
}

/** The whole lines of a piece of log. */
export function logLinesOf(text: string): readonly LogLine[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as LogLine);
}
