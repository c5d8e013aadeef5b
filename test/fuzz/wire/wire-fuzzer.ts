/**
 * Bytes to a gate process over real sockets, many connections at once. Each speaks from a loopback
 * address of its own: the gate tells the upstream the address, so that every message there finds
 * back to the bytes that it came from.
 */
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { HttpMessage } from "../../support/http-message.ts";
import { connectRaw } from "../../support/raw-client.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import type { Random } from "../engine/random.ts";
import { waitFor } from "../../support/wait-for.ts";
import { Exchange } from "./exchange.ts";
import { generateWire } from "./generate.ts";
import { WORDS } from "./keys.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { type Target, type TargetStart, startGate } from "./target.ts";

/** An end to every input: the gate's own timers are far shorter. */
const DEADLINE_MS = 10_000;
/** How long most clients wait for more, and how long the patient ones do. */
const QUIET_MS = 40;
const WAIT_MS = 1000;
/** I5 allows a second; a busy machine gets more, and the slowest is among the figures. */
const PROBE_DEADLINE_MS = 5000;
/** Then the last of the gate's own timers has run out. */
const SETTLE_MS = 10_000;
/** Exchanges that are over and may still be heard of. */
const REMEMBERED_MAX = 2000;

export interface WireOptions {
  readonly lanes: number;
  /** I5 is asked for after so many inputs. */
  readonly probeEvery: number;
  /** A gate, or in the engine's own tests something that is none. */
  readonly start: TargetStart;
}

const DEFAULTS: WireOptions = { lanes: 48, probeEvery: 32, start: startGate };

export class WireFuzzer implements Fuzzer {
  readonly lanes: number;
  readonly slowMs = DEADLINE_MS;
  readonly figures = { forwarded: 0, answers: 0, probes: 0, "slowest probe ms": 0 };
  readonly #options: WireOptions;
  /** By client address, oldest first. */
  readonly #exchanges = new Map<string, Exchange>();
  readonly #underWay = new Set<Exchange>();
  /** What cannot be laid on one input's door. */
  readonly #shared: string[] = [];
  #recorder: Recorder | undefined;
  #target: Promise<Target> | undefined;
  #inputs = 0;
  #checked = 0;

  constructor(options: Partial<WireOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.lanes = this.#options.lanes;
  }

  static async open(options: Partial<WireOptions> = {}): Promise<WireFuzzer> {
    const fuzzer = new WireFuzzer(options);
    fuzzer.#recorder = await startRecorder({
      onHead: (message) => fuzzer.#exchangeOf(message)?.onHead(message),
      onMessage: (message) => fuzzer.#exchangeOf(message)?.onMessage(message),
      onProblem: (problem) => fuzzer.#shared.push(`I1 framing: the upstream was sent ${problem}`),
    });
    await fuzzer.#start();
    return fuzzer;
  }

  generate(random: Random): Input {
    return generateWire(random);
  }

  async check(input: Input): Promise<Verdict> {
    const target = await this.#start();
    const exchange = this.#begin(input);
    const isOver = await send(target.port, exchange, input);
    exchange.finish(isOver);
    this.#underWay.delete(exchange);
    this.figures.forwarded += exchange.forwarded;
    this.figures.answers += exchange.answers.length;
    const own = exchange.complaint;
    exchange.isTold = own !== undefined;
    if (own !== undefined) return { reason: own };
    if (target.ending !== undefined) {
      this.#target = undefined;
      return { reason: `crash: the gate ended with ${target.ending}`, isShared: true };
    }
    const shared = this.#shared.shift() ?? (await this.#probe(target));
    return shared === undefined ? undefined : { reason: shared, isShared: true };
  }

  /** Nothing may be left of all the requests, however they ended. */
  async settle(): Promise<Verdict> {
    const target = await this.#start();
    try {
      await waitFor("nothing in flight", async () => (await target.inFlight()) === 0, {
        deadlineMs: SETTLE_MS,
      });
      return undefined;
    } catch {
      return { reason: `leak: ${await target.inFlight()} requests in flight, and no client` };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#target)?.[Symbol.asyncDispose]();
    await this.#recorder?.[Symbol.asyncDispose]();
  }

  /** The gate, started anew when it has ended. */
  #start(): Promise<Target> {
    if (this.#recorder === undefined) throw new Error("not opened");
    this.#target ??= this.#options.start(this.#recorder.url, (what) => this.#shared.push(what));
    return this.#target;
  }

  #begin({ text }: Input): Exchange {
    // Whether the upstream speaks WebSocket goes by the last digit: the same for the same bytes.
    const number = 2 * ++this.#inputs + (text.length % 2);
    const address = `127.${1 + ((number >> 16) % 254)}.${(number >> 8) & 255}.${number & 255}`;
    const exchange = new Exchange(address, text, this.#recorder?.host ?? "");
    this.#exchanges.set(address, exchange);
    this.#underWay.add(exchange);
    if (this.#exchanges.size > REMEMBERED_MAX + this.lanes) this.#forgetOldest();
    return exchange;
  }

  #forgetOldest(): void {
    for (const [address, exchange] of this.#exchanges) {
      if (this.#underWay.has(exchange)) continue;
      this.#exchanges.delete(address);
      if (exchange.complaint !== undefined && !exchange.isTold)
        this.#shared.push(`late ${exchange.complaint}`);
      return;
    }
  }

  #exchangeOf(message: HttpMessage): Exchange | undefined {
    const address = message.values("x-forwarded-for").join("+");
    const exchange = this.#exchanges.get(address);
    if (exchange === undefined && address !== PROBE_ADDRESS) {
      this.#shared.push(`I1 nobody's: ${message.startLine} from ${address}`);
    }
    return exchange;
  }

  /** I5: a clean request on a new connection gets its answer. */
  async #probe({ port }: Target): Promise<string | undefined> {
    if (++this.#checked % this.#options.probeEvery !== 0) return undefined;
    const startMs = performance.now();
    try {
      await using client = await connectRaw(port);
      client.send(
        `GET /v1/memories/probe HTTP/1.1\r\nHost: gw.local\r\nX-API-Key: ${WORDS["KEY_A"]}\r\n\r\n`,
      );
      const { status } = await client.answer(PROBE_DEADLINE_MS);
      this.figures.probes++;
      const tookMs = Math.round(performance.now() - startMs);
      this.figures["slowest probe ms"] = Math.max(this.figures["slowest probe ms"], tookMs);
      return status === 200 ? undefined : `I5 next request: got ${status}`;
    } catch (error) {
      return `I5 next request: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

const PROBE_ADDRESS = "127.0.0.1";

/** @returns whether the gate ended the connection in order; false when the client did, or it broke */
async function send(port: number, exchange: Exchange, input: Input): Promise<boolean> {
  const { text, cuts = [], ending } = input;
  const socket = connect({ host: "127.0.0.1", port, localAddress: exchange.address, noDelay: true });
  let hasLeft = false;
  const leave = (how: () => void): void => {
    hasLeft = true;
    how();
  };
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // Bytes that cross the gate's last answer make the kernel throw that answer away.
  socket.on("error", () => {
    hasLeft = true;
  });
  const deadline = setTimeout(() => {
    exchange.complain(`hangs: no end within ${DEADLINE_MS} ms`);
    socket.destroy();
  }, DEADLINE_MS);
  const quietMs = ending === "wait" ? WAIT_MS : QUIET_MS;
  const quiet = setTimeout(() => leave(() => socket.end()), quietMs);
  socket.on("data", (bytes: Buffer) => {
    exchange.received(bytes);
    quiet.refresh();
    if (exchange.isAnswered) leave(() => socket.end());
  });
  let from = 0;
  for (const to of [...cuts, text.length]) {
    socket.write(text.slice(from, to), "latin1");
    from = to;
    if (to < text.length) await turn();
  }
  if (ending === "half-close") leave(() => socket.end());
  if (ending === "reset")
    socket.once("connect", () => setImmediate(() => leave(() => socket.resetAndDestroy())));
  await closed;
  clearTimeout(quiet);
  clearTimeout(deadline);
  return !hasLeft;
}
