/**
 * One call of the registry, relative to where this page lies. Everything that the session, the
 * banner and the retries need to know of a call is decided here.
 */
import { reportDown, reportUp } from "../state/connection.ts";
import { Failure, type FieldFault } from "./failure.ts";

export interface Asked {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** The page asks by itself: does not count as somebody being there. */
  readonly isPoll?: boolean;
  readonly idempotencyKey?: string;
}

const TIMEOUT_MS = 20_000;

/** `GET api/v1/…`; answers the parsed body. Throws a `Failure`, or what `signal` was aborted with. */
export async function call<T>(path: string, asked: Asked = {}): Promise<T> {
  const { method = "GET", query = {}, json, signal, isPoll = false, idempotencyKey } = asked;
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: {
        accept: "application/json",
        "x-keyward-console": isPoll ? "poll" : "1",
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
    text = await response.text();
  } catch {
    signal?.throwIfAborted();
    throw unreachable("The registry cannot be reached.");
  }
  if (response.ok) {
    const answer = answerIn(text);
    reportUp();
    return answer as T;
  }
  throw failureOf(response, text);
}

/** A proxy's sign-in page comes with a 200 too. */
function answerIn(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    throw unreachable("Something other than the registry answered.");
  }
}

const OUTAGES = new Set([502, 503, 504]);
const OUTAGE_REASONS: Readonly<Record<string, string>> = {
  storage_unavailable: "The registry cannot reach its storage.",
  stopping: "The registry is restarting.",
};

function failureOf(response: Response, text: string): Failure {
  const { status } = response;
  const problem = parsed(text);
  const code = typeof problem["code"] === "string" ? problem["code"] : "";
  if (OUTAGES.has(status) && code !== "busy") {
    return unreachable(OUTAGE_REASONS[code] ?? "The registry cannot be reached.");
  }
  reportUp();
  const retryAfter = Number(response.headers.get("retry-after"));
  return new Failure(status === 401 ? "signed_out" : "refused", {
    status,
    code,
    detail: typeof problem["detail"] === "string" ? problem["detail"] : "",
    faults: Array.isArray(problem["errors"]) ? (problem["errors"] as FieldFault[]) : [],
    retryAfterSeconds: retryAfter > 0 ? retryAfter : undefined,
  });
}

function unreachable(reason: string): Failure {
  reportDown(reason);
  return new Failure("unreachable", { detail: reason });
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** One per intent of a person: a call that is sent twice makes one key. */
export function newIdempotencyKey(): string {
  // Not `randomUUID`: that needs a secure context, and some serve this over plain HTTP inside.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
