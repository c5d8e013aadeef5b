/**
 * Which requests of a case deserve to be forwarded, and as whom: a second, plain reading of the
 * fixture's rules, written without the gate's code. Where a request can be read in several ways it
 * deserves only what all readings deserve.
 */
import { type HttpMessage, HttpReader } from "../../support/http-message.ts";
import type { Words } from "./bytes.ts";

export interface SentRequest {
  readonly method: string;
  readonly target: string;
  /** Undefined: not to be forwarded. */
  readonly deserves: { readonly organization: string | undefined } | undefined;
}

interface Caller {
  readonly organization: string;
  readonly scopes: readonly string[];
}

/** Callers by the word that stands for their key; the revoked and the expired one are nobody. */
const CALLERS: Readonly<Record<string, Caller>> = {
  KEY_A: { organization: "org_a", scopes: ["memory:read", "memory:write"] },
  KEY_B: { organization: "org_b", scopes: ["memory:read"] },
  KEY_N: { organization: "org_n", scopes: ["memory:read", "memory:write"] },
};

export interface SentBytes {
  /** Requests whose head a strict reader can read. */
  readonly requests: readonly SentRequest[];
  /** Most answers that these bytes may get: one for each request, one for what cannot be read. */
  readonly answersMax: number;
}

export function readSent(text: string, words: Words): SentBytes {
  const reader = new HttpReader({ kind: "request" });
  // RFC 9112 section 2.2: empty lines before a request line mean nothing.
  reader.push(Buffer.from(text.replace(/^[\r\n]+/, ""), "latin1"));
  reader.end();
  const heads = reader.messages;
  const isLastBroken = reader.problem !== undefined && heads.at(-1)?.isComplete !== false;
  return {
    requests: heads.map((message) => ({
      method: message.method,
      target: message.target,
      deserves: deserves(message, words),
    })),
    answersMax: Math.max(1, heads.length + (isLastBroken ? 1 : 0)),
  };
}

/** Undefined: not to be forwarded. */
export function deserves(message: HttpMessage, words: Words): SentRequest["deserves"] {
  const paths = readingsOf(message.target);
  if (message.method === "GET" && paths.every((path) => path === "/healthz"))
    return { organization: undefined };
  if (message.method === "HEAD" && paths.every((path) => path === "/healthz"))
    return { organization: undefined };
  const caller = callerOf(message, words);
  const scope = scopeFor(message.method);
  if (caller === undefined || scope === undefined || !caller.scopes.includes(scope)) return undefined;
  const isMemory = paths.every((path) => path === "/v1/memories" || path.startsWith("/v1/memories/"));
  return isMemory ? { organization: caller.organization } : undefined;
}

function callerOf(message: HttpMessage, words: Words): Caller | undefined {
  const bearer = message.values("authorization").map((value) => /^bearer +(.*)$/i.exec(value)?.[1] ?? "");
  const keys = new Set([...bearer, ...message.values("x-api-key")].filter((key) => key !== ""));
  if (keys.size !== 1) return undefined;
  const [key] = keys;
  const word = Object.keys(CALLERS).find((name) => words[name] === key);
  return word === undefined ? undefined : CALLERS[word];
}

function scopeFor(method: string): string | undefined {
  if (method === "GET" || method === "HEAD") return "memory:read";
  if (method === "POST" || method === "PUT" || method === "PATCH") return "memory:write";
  return method === "DELETE" ? "memory:delete" : undefined;
}

/** Every path that some server might read in the target. All agree that `%41` is `A` (RFC 3986 section 6.2.2.2). */
function readingsOf(target: string): readonly string[] {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
  const readings = new Set([
    path.replaceAll(/%[0-9a-f]{2}/gi, (escape) =>
      /[\w.~-]/.test(decoded(escape)) ? decoded(escape) : escape,
    ),
  ]);
  // Each reading is read in turn; a set hands out what is added while it is walked.
  for (const path of readings) {
    readings.add(decoded(path));
    readings.add(path.replaceAll("\\", "/"));
    readings.add(path.replaceAll(/;[^/]*/g, ""));
    readings.add(path.replaceAll(/\/{2,}/g, "/"));
    readings.add(path.replace(/[\0-\x20].*$/s, ""));
    readings.add(withoutDots(path));
  }
  return [...readings];
}

function decoded(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  );
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/").slice(1)) {
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}
