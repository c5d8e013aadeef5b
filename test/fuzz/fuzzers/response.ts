/** The gate's reader of answers, against a second one, and against itself when the bytes come in pieces. */
import { isDeepStrictEqual } from "node:util";
import { ResponseParser } from "../../../src/gate/http1/response-parser.ts";
import type { HttpMessage } from "../../support/http-message.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import type { Random } from "../engine/random.ts";
import { readAnswer } from "../wire/answered.ts";
import { generateAnswer } from "../wire/generate-answer.ts";

/** What the parser told of an answer. */
interface Told {
  readonly interims: readonly (readonly string[])[];
  readonly head: { readonly status: number; readonly fields: readonly string[] } | undefined;
  readonly body: string;
  readonly outcome: "whole" | "fault" | "open";
  readonly extra: number;
  readonly keepsAlive: boolean;
}

export class ResponseFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 1000;
  readonly figures = { accepted: 0, refused: 0, unfinished: 0, "refused though readable": 0 };

  generate(random: Random): Input {
    return generateAnswer(random);
  }

  check({ text, cuts = [], ending }: Input): Verdict {
    // A request's method is no part of the bytes; let their length choose.
    const method = text.length % 7 === 0 ? "HEAD" : "GET";
    const isClosed = ending === "half-close";
    const told = parse(text, cuts, method, isClosed);
    const inOne = parse(text, [], method, isClosed);
    if (told.outcome !== "fault" && !isDeepStrictEqual(told, inOne)) return differ("in pieces", told, inOne);
    if (told.outcome === "fault" && inOne.outcome === "whole") return differ("in pieces", told, inOne);
    this.#count(told, readAnswer(text, method).final);
    return disagreement(told, text, method, isClosed);
  }

  #count({ outcome }: Told, final: HttpMessage | undefined): void {
    if (outcome === "whole") this.figures.accepted++;
    else if (outcome === "open") this.figures.unfinished++;
    else this.figures.refused++;
    if (outcome === "fault" && final?.isComplete === true) this.figures["refused though readable"]++;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function parse(text: string, cuts: readonly number[], method: string, isClosed: boolean): Told {
  const interims: string[][] = [];
  let head: Told["head"];
  const body: Buffer[] = [];
  let extra = 0;
  const parser = new ResponseParser({
    interim: (status, headers) => interims.push([String(status), ...headers]),
    head: (status, _reason, fields) => (head = { status, fields }),
    data: (chunk) => body.push(chunk),
    end: () => undefined,
  });
  parser.expect(method === "HEAD");
  const told = (outcome: Told["outcome"]): Told => {
    const content = Buffer.concat(body).toString("latin1");
    return { interims, head, body: content, outcome, extra, keepsAlive: parser.keepsAlive };
  };
  try {
    let from = 0;
    for (const to of [...cuts, text.length]) {
      extra += parser.push(Buffer.from(text.slice(from, to), "latin1"));
      from = to;
    }
    if (isClosed) parser.close();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "UPSTREAM_PROTOCOL") throw error;
    return told("fault");
  }
  return told(parser.isDone ? "whole" : "open");
}

/** The parser may refuse what the model can read. What it takes has to be the same. */
function disagreement(told: Told, text: string, method: string, isClosed: boolean): Verdict {
  const { final, endsWithConnection, extra } = readAnswer(text, method);
  if (told.outcome === "fault" || told.head === undefined) return undefined;
  if (final === undefined) return differ("only the gate reads a head", told, text);
  const fields = final.fields.flat();
  if (told.head.status !== final.status || !isDeepStrictEqual(told.head.fields, fields)) {
    return differ("another head", told.head, [final.status, fields]);
  }
  if (told.body !== final.body.toString("latin1"))
    return differ("another body", told.body, final.body.toString("latin1"));
  const isWhole = final.isComplete || (endsWithConnection && isClosed);
  if ((told.outcome === "whole") !== isWhole) return differ("another end", told.outcome, isWhole);
  if (told.outcome === "whole" && told.extra !== extra) return differ("another rest", told.extra, extra);
  const closes = final.values("connection").some((value) => /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(value));
  const mayPersist = final.startLine.startsWith("HTTP/1.1") && !closes && !endsWithConnection;
  return told.keepsAlive && !mayPersist ? differ("keeps the connection", told, final.startLine) : undefined;
}

function differ(what: string, one: unknown, other: unknown): Verdict {
  return { reason: `${what}: ${JSON.stringify(one).slice(0, 400)} | ${JSON.stringify(other).slice(0, 400)}` };
}
