/**
 * What every case runs against: one gate, started as users start it, one upstream on a bare socket
 * that records all it gets, and the five keys of the set.
 */
import type { HttpMessage } from "../../support/http-message.ts";
import { type KeyFixture, makeKey, writeGateFiles } from "../../support/fixtures.ts";
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

/** Our name in Via. */
const PSEUDONYM = "keyward";

const YEAR_MS = 365 * 24 * 3600 * 1000;

interface SceneKeys {
  readonly words: Words;
  readonly fixtures: readonly KeyFixture[];
}

function makeKeys(): SceneKeys {
  const key = (name: string, fields: Parameters<typeof makeKey>[0]): KeyFixture =>
    makeKey({
      id: `key_${name}`,
      secret: `mem_prod_${makeKey().secret.slice("mem_live_".length)}`,
      organization: { id: `org_${name}` },
      project: { id: `proj_${name}` },
      environment: "prod",
      scopes: ["memory:read", "memory:write"],
      ...fields,
    });
  const a = key("a", {});
  const b = key("b", { scopes: ["memory:read"] });
  const n = withoutProject(key("n", {}));
  const revoked = key("rev", { revoked_at: new Date(Date.now() - YEAR_MS).toISOString() });
  const expired = key("exp", { expires_at: new Date(Date.now() - YEAR_MS).toISOString() });
  return {
    fixtures: [a, b, n, revoked, expired],
    words: {
      KEY_A: a.secret,
      KEY_B: b.secret,
      KEY_N: n.secret,
      KEY_REV: revoked.secret,
      KEY_EXP: expired.secret,
      KEY_A_SWAPCASE: swapCase(a.secret),
      KEY_A_MINUS1: a.secret.slice(0, -1),
      HASH_A: a.record.digest.replace("sha256:", ""),
      PROXY_PSEUDONYM: PSEUDONYM,
    },
  };
}

function withoutProject({ secret, record }: KeyFixture): KeyFixture {
  const { project: _project, environment: _environment, ...rest } = record;
  return { secret, record: rest };
}

function swapCase(text: string): string {
  return text.replace(/[A-Za-z]/g, (letter) => {
    const upper = letter.toUpperCase();
    return letter === upper ? letter.toLowerCase() : upper;
  });
}

/** The fixture's rules, and timers short enough to wait for. */
function configOf(): Readonly<Record<string, unknown>> {
  return {
    key_format: { prefix: "mem", environments: ["prod"] },
    routes: [
      { path: "/healthz", methods: ["GET"], public: true },
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["memory:read"] },
      { path: "/v1/memories/**", methods: ["POST", "PUT", "PATCH"], scopes: ["memory:write"] },
      { path: "/v1/memories/**", methods: ["DELETE"], scopes: ["memory:delete"] },
      { path: "/v1/admin/**", scopes: ["admin"] },
    ],
    via: PSEUDONYM,
    timeouts: { headers: "500ms", body_idle: "500ms", read_idle: "1s" },
    // A busy test machine must not look like an overloaded gate.
    bounds: { event_loop_delay: "0s" },
  };
}

/** What reached upstream and log since the case began. */
export interface Recording {
  readonly forwarded: readonly HttpMessage[];
  /** Every byte that the gate sent to the upstream. */
  readonly bytes: string;
  /** What a strict reader found wrong in them; a message cut short is not wrong. */
  readonly problems: readonly string[];
  readonly log: string;
}

export class WireScene implements AsyncDisposable {
  readonly gate: GateProcess;
  readonly upstream: RawUpstream;
  readonly words: Words;
  readonly #folder: TempFolder;
  #probes = 0;
  #marks = new Map<RawConnection, number>();
  #seen = new Set<HttpMessage>();
  #problemsSeen = new Set<RawConnection>();
  #logMark = 0;

  private constructor(folder: TempFolder, upstream: RawUpstream, gate: GateProcess, words: Words) {
    this.#folder = folder;
    this.upstream = upstream;
    this.gate = gate;
    this.words = words;
  }

  /** @param behaviour of the upstream; it answers 200 to every whole message without one */
  static async open(
    behaviour: RawBehaviour = { onMessage: answerOk },
    upstreamOptions: Readonly<Record<string, unknown>> = {},
  ): Promise<WireScene> {
    const folder = await makeTempFolder();
    const upstream = await startRawUpstream(behaviour);
    const { fixtures, words } = makeKeys();
    const timeouts = { headers: "1s", idle: "1s" };
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: fixtures,
      config: {
        ...configOf(),
        upstreams: { default: { url: upstream.url, timeouts, ...upstreamOptions } },
      },
    });
    const gate = await startGateProcess(configFile);
    return new WireScene(folder, upstream, gate, words);
  }

  /** From here on a new recording. */
  startRecording(): void {
    this.#marks = new Map(this.upstream.connections.map((each) => [each, each.received.length]));
    this.#seen = new Set(this.upstream.messages);
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
    const target = `/v1/memories/probe-${++this.#probes}`;
    client.send(
      `GET ${target} HTTP/1.1\r\nHost: gw.local\r\nAuthorization: Bearer ${this.words["KEY_A"]}\r\n\r\n`,
    );
    const { status } = await client.answer(5000);
    if (status !== 200) throw new Error(`the next clean request got ${status}`);
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
      forwarded: this.upstream.messages.filter(
        (message) => !this.#seen.has(message) && !message.target.startsWith("/v1/memories/probe-"),
      ),
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
