/**
 * One input on its way through the gate: what it deserves, what of it came out behind, and what came
 * back. Holds I1 to I4 and I6 of test/wire/README.md as things happen.
 */
import { readByModel } from "../../property/gate/target-model.ts";
import { type HttpMessage, HttpReader } from "../../support/http-message.ts";
import { deserves } from "../../wire/harness/policy-model.ts";
import { fold, PROTECTED } from "../fuzzers/request-model.ts";
import { IDENTITIES, SECRETS, WORDS } from "./keys.ts";
import { isFramed, readSent, type SentBytes } from "./sent.ts";

/** What the gate says to this upstream in its own words, besides the identity. */
const OWN_FIELDS = new Set([
  ..."host content-length transfer-encoding connection via max-forwards x-request-id upgrade".split(" "),
  ..."x-forwarded-for x-forwarded-proto x-forwarded-host sec-websocket-key sec-websocket-version".split(" "),
]);
const NEVER = new Set(PROTECTED.filter((name) => !OWN_FIELDS.has(name) && name !== "x-debug"));

export class Exchange {
  /** Where the client speaks from: the gate tells the upstream, which is how messages find back. */
  readonly address: string;
  /** Its complaint, if it had one when it was over, is known. */
  isTold = false;
  readonly #sent: SentBytes;
  readonly #upstreamHost: string;
  readonly #reader: HttpReader;
  readonly #used = new Map<HttpMessage, HttpMessage>();
  readonly #complaints: string[] = [];

  constructor(address: string, text: string, upstreamHost: string) {
    this.address = address;
    this.#sent = readSent(text);
    this.#upstreamHost = upstreamHost;
    const methods = this.#sent.requests.map(({ method }) => method);
    this.#reader = new HttpReader({ kind: "response", methodOf: () => methods.shift() ?? "GET" });
  }

  /** The first thing that was wrong. */
  get complaint(): string | undefined {
    return this.#complaints[0];
  }

  get forwarded(): number {
    return this.#used.size;
  }

  get answers(): readonly HttpMessage[] {
    return this.#reader.messages.filter(({ status }) => status >= 200 || status === 101);
  }

  get isAnswered(): boolean {
    return this.answers.filter(({ isComplete }) => isComplete).length >= this.#sent.answersMax;
  }

  complain(reason: string): void {
    this.#complaints.push(reason);
  }

  // --- behind the gate

  onHead(message: HttpMessage): void {
    const open = this.#sent.requests.filter(
      (request) => !this.#used.has(request) && mayBecome(request, message),
    );
    const [first] = open;
    if (first === undefined) {
      this.complain(`I1 unauthorised: ${message.startLine} as ${message.values("x-org-id").join("+")}`);
      return;
    }
    const fitting = open.find((request) => this.#wrongField(message, request) === undefined) ?? first;
    this.#used.set(fitting, message);
    const wrong = wrongIdentity(message, fitting) ?? this.#wrongField(message, fitting) ?? leakIn(message);
    if (wrong !== undefined) this.complain(wrong);
  }

  onMessage(message: HttpMessage): void {
    for (const [request, forwarded] of this.#used) {
      if (forwarded !== message) continue;
      if (!request.isComplete) this.complain("I1 made whole: a body that the client did not finish");
      else if (!request.body.equals(message.body)) this.complain("I1 body changed: on its way");
      if (message.trailers.length > 0) this.complain("I2 trailers: forwarded");
    }
  }

  /** What is not the gate's own word stood in this very request, as it is and in this order. */
  #wrongField(message: HttpMessage, request: HttpMessage): string | undefined {
    if (message.values("host").join("+") !== this.#upstreamHost) return "I2 host: not the upstream's";
    if (message.values("x-forwarded-for").join("+") !== this.address) return "I2 client address: forged";
    if (message.values("x-forwarded-host").join("+") !== (request.values("host")[0] ?? "")) {
      return "I2 public host: not the request's";
    }
    if (!/^(?:.*, )?1\.1 keyward$/.test(message.values("via").join("+"))) return "I2 via: not the gate's";
    if (lengthOf(message) !== lengthOf(request)) return "I1 length: not the request's";
    let at = 0;
    for (const [name, value] of message.fields) {
      const lower = name.toLowerCase();
      if (OWN_FIELDS.has(lower) || IDENTITY_NAMES.has(lower)) continue;
      if (NEVER.has(fold(name)) || /^x-(?:envoy|forwarded)-/.test(fold(name)))
        return `I2 forged: ${name}: ${value}`;
      const from = request.fields.findIndex(([n, v], i) => i >= at && n === name && v === value);
      if (from === -1) return `I2 invented: ${name}: ${value}`;
      at = from + 1;
    }
    return undefined;
  }

  // --- before the gate

  received(bytes: Buffer): void {
    this.#reader.push(bytes);
  }

  /** Was the last answer one to a line that begins with HEAD and that not everybody can read? It may have a body. */
  get #isBodyUnclear(): boolean {
    const { answers } = this;
    const isLast = answers.at(-1)?.values("connection").includes("close") === true;
    const request = this.#sent.requests[answers.length - 1];
    return isLast && (request === undefined ? this.#sent.endsInHead : request.method === "HEAD");
  }

  /** @param isOver the gate ended the connection, and the client did not break it off */
  finish(isOver: boolean): void {
    if (isOver) this.#reader.end();
    const { problem } = this.#reader;
    if (problem !== undefined && !this.#isBodyUnclear) this.complain(`I4 answer: has ${problem}`);
    const { answers } = this;
    // A connection that was idle for too long may be told so (RFC 9110 section 15.5.9).
    const owed = answers.filter(({ status }) => status !== 408);
    if (owed.length > this.#sent.answersMax) {
      this.complain(`I4 too many answers: ${owed.length} to ${this.#sent.answersMax} requests`);
    }
    for (const answer of answers) {
      if (answer.status === 500) this.complain("I6 500: answered");
      // This upstream answers everything.
      if (answer.status > 501 && answer.status < 505) this.complain(`I5 lost: answered ${answer.status}`);
      const about = answer.values("x-answers").join("+");
      if (about !== "" && about !== answer.values("x-request-id").join("+"))
        this.complain("I4 mixed up: answers");
    }
    if (isOver && answers.length === 0 && this.#sent.requests[0]?.isComplete === true) {
      this.complain("I4 no answer: to a whole request");
    }
  }
}

const IDENTITY_NAMES = new Set(["x-org-id", "x-key-id", "x-project-id", "x-environment"]);
const NAMESPACE = new Set([...IDENTITY_NAMES, "x-organization-id", "x-folder-ids", "x-scope", "x-scopes"]);

/** How long the body is said to be: -1 for none, infinite for chunks. */
function lengthOf(message: HttpMessage): number {
  if (message.values("transfer-encoding").length > 0) return Number.POSITIVE_INFINITY;
  return Number(message.values("content-length")[0] ?? -1);
}

/** May this request go up as that message: same resource, same caller? */
function mayBecome(request: HttpMessage, message: HttpMessage): boolean {
  if (request.method !== message.method || !isFramed(request)) return false;
  // Refused as a loop, without an end to the connection.
  if (/(?:^|[,\s])keyward(?:$|[,\s(])/i.test(request.values("via").join())) return false;
  const reading = readByModel(request.target, 8192);
  if (reading === undefined || reading.path + reading.query !== message.target) return false;
  const deserved = deserves(request, WORDS);
  return deserved !== undefined && deserved.organization === message.values("x-org-id")[0];
}

/** I2: all that the upstream hears of the caller is what the key says, each fact once. */
function wrongIdentity(message: HttpMessage, request: HttpMessage): string | undefined {
  const organization = deserves(request, WORDS)?.organization;
  const said = message.fields.filter(([name]) => NAMESPACE.has(fold(name)));
  const due = organization === undefined ? {} : (IDENTITIES.get(organization) ?? {});
  const isRight =
    said.length === Object.keys(due).length &&
    said.every(([name, value]) => due[name.toLowerCase()] === value);
  return isRight ? undefined : `I2 identity: ${JSON.stringify(said)}`;
}

/** I3, in the head: what is in a body is the client's own business. Servers decode the target. */
function leakIn(message: HttpMessage): string | undefined {
  const head = [message.startLine, ...message.fields.flat()].join("\n");
  const target = message.target.replaceAll(/%([2-7][0-9A-Fa-f])/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const leaked = SECRETS.find((secret) => head.includes(secret) || target.includes(secret));
  return leaked === undefined ? undefined : "I3 key: at the upstream";
}
