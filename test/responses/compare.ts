/**
 * The gate's response parser against undici's (llhttp), on mutated answers. What both take must be
 * the same answer; what ours takes and undici refuses is a finding, save for the known difference
 * that ours drops an unsolicited `100 Continue`. Ours may be stricter: refusing is always safe.
 *
 *   npm run fuzz:responses -- --count 1000000 --seed 1 --json
 */
import { once } from "node:events";
import { type Server, type Socket, createServer } from "node:net";
import { parseArgs } from "node:util";
import { Client, type Dispatcher } from "undici";
import { ResponseFault } from "../../src/gate/http1/response-fields.ts";
import { ResponseParser } from "../../src/gate/http1/response-parser.ts";
import { portOf } from "../support/listening.ts";
import { type Drawing, drawing, mutatedAnswer } from "./mutate.ts";

/** One answer as a client understood it; undefined when it refused. */
interface Understood {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** @returns with the number of bytes behind the end: the answer is given on, the connection given up */
function readOurs(pieces: readonly Buffer[]): (Understood & { readonly extra: number }) | undefined {
  let status = 0;
  let headers: readonly string[] = [];
  let body = "";
  let extra = 0;
  const parser = new ResponseParser({
    interim() {},
    head(code, _reason, lines) {
      status = code;
      headers = lines;
    },
    data: (chunk) => (body += chunk.toString("latin1")),
    end() {},
  });
  parser.expect(false);
  try {
    for (const piece of pieces) extra += parser.isDone ? piece.length : parser.push(piece);
    parser.close();
  } catch (error) {
    if (error instanceof ResponseFault) return undefined;
    throw error;
  }
  return { status, headers, body, extra };
}

/** undici in front of a server that answers with given bytes and closes; a connection an answer. */
class UndiciReader implements AsyncDisposable {
  readonly #server: Server;
  readonly #origin: string;
  #pieces: readonly Buffer[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.#origin = `http://127.0.0.1:${portOf(server)}`;
    server.on("connection", (socket: Socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => {
        for (const piece of this.#pieces) socket.write(piece);
        socket.end();
      });
    });
  }

  static async open(): Promise<UndiciReader> {
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new UndiciReader(server);
  }

  async read(pieces: readonly Buffer[]): Promise<Understood | undefined> {
    this.#pieces = pieces;
    const client = new Client(this.#origin, { pipelining: 1, allowH2: false, maxHeaderSize: 32 * 1024 });
    try {
      return await new Promise((resolve) =>
        client.dispatch({ path: "/", method: "GET" }, new Reading(resolve)),
      );
    } finally {
      await client.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, "close");
  }
}

class Reading implements Dispatcher.DispatchHandler {
  readonly #resolve: (understood: Understood | undefined) => void;
  #status = 0;
  #headers: string[] = [];
  #body = "";

  constructor(resolve: (understood: Understood | undefined) => void) {
    this.#resolve = resolve;
  }

  onRequestStart(): void {}

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#status = status;
    const raw = (controller as { rawHeaders?: Buffer[] }).rawHeaders ?? [];
    // undici leaves the blanks behind a value, which are no part of it (RFC 9112 section 5).
    this.#headers = raw.map((part) => part.toString("latin1").replace(/[\t ]+$/, ""));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body += chunk.toString("latin1");
  }

  onResponseEnd(): void {
    this.#resolve({ status: this.#status, headers: this.#headers, body: this.#body });
  }

  onResponseError(): void {
    this.#resolve(undefined);
  }
}

/** Undefined when the two agree well enough. */
async function differenceIn(pieces: readonly Buffer[], undici: UndiciReader): Promise<unknown> {
  const read = readOurs(pieces);
  if (read === undefined) return undefined;
  const { extra, ...ours } = read;
  const theirs = await undici.read(pieces);
  if (theirs === undefined) {
    const text = Buffer.concat([...pieces]).toString("latin1");
    return extra > 0 || /^HTTP\/1\.[01] 100\b/.test(text) ? undefined : { ours, theirs: "refused", text };
  }
  if (JSON.stringify(ours) === JSON.stringify(theirs)) return undefined;
  return { ours, theirs, text: Buffer.concat([...pieces]).toString("latin1") };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const count = Number(values.count);
  const seed = Number(values.seed);
  if (!(count >= 0) || !Number.isInteger(seed)) throw new RangeError("--count and --seed take whole numbers");
  const draw: Drawing = drawing(seed);
  await using undici = await UndiciReader.open();
  const shown: unknown[] = [];
  let differences = 0;
  for (let i = 1; i <= count; i++) {
    const difference = await differenceIn(mutatedAnswer(draw), undici);
    if (difference !== undefined && differences++ < SHOWN_MAX) shown.push(difference);
    if (i % 10_000 === 0 && process.stderr.isTTY)
      process.stderr.write(`\r${i} of ${count}, ${differences} differ `);
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ answers: count, seed, differences, shown }, undefined, 2)}\n`);
  } else {
    for (const difference of shown) process.stdout.write(`${JSON.stringify(difference)}\n`);
    process.stdout.write(`${count} answers, seed ${seed}: ${differences} differences\n`);
  }
  return differences === 0 ? 0 : 1;
}

/** More of a kind teach nothing. */
const SHOWN_MAX = 20;

if (import.meta.main) process.exitCode = await main();
