/**
 * What a person is told when the registry refuses a call or cannot be asked: one line, with the way
 * out where there is one. What a server says is cut and cleaned: it goes to a terminal.
 */
import { RegistryFault } from "../keys/registry-fault.ts";
import { EXIT_FAILURE, EXIT_USAGE } from "./command.ts";
import { type CommandError, failure } from "./keys-command.ts";

/** An answer that is no success; without a code when it did not come from a registry. */
export interface Refused {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  /** What is wrong with the request, by JSON Pointer or parameter. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  readonly retryAfterMs: number | undefined;
}

export interface RefusalPlace {
  readonly url: string;
  /** What the call was about. */
  readonly subject: string | undefined;
  /** The least role that may make it. */
  readonly role: "viewer" | "operator";
}

export interface RefusalText {
  readonly message: string;
  readonly exitCode: number;
}

const ROLES = { viewer: "viewer, operator or admin", operator: "operator or admin" } as const;

export function refusalText(refused: Refused, place: RefusalPlace): RefusalText {
  const { status, code, errors } = refused;
  const isInput = code !== undefined && (status === 422 || status === 400) && errors.length > 0;
  if (isInput) return { message: errors.map(inputFault).join("; "), exitCode: EXIT_USAGE };
  return { message: sentence(refused, place), exitCode: EXIT_FAILURE };
}

function sentence({ status, code, detail, retryAfterMs }: Refused, place: RefusalPlace): string {
  const { url, subject, role } = place;
  const said = cleanText(detail ?? "");
  if (status >= 300 && status < 400) return `${url} answered ${status}; redirects are not followed`;
  if (status === 401) return `${url} does not take this token: it is unknown, revoked or expired`;
  if (status === 403 && code === "role_missing") {
    return `the token's role does not allow this; it needs a token of the role ${ROLES[role]}`;
  }
  if (status === 404 && code === "not_found" && subject !== undefined) {
    return `there is no ${subject} in ${url}`;
  }
  if (code === undefined) return `${url} answered ${status}, and not as a Keyward registry does`;
  if (status === 429) {
    const wait = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1000)} s`;
    return `too many attempts with unknown tokens; try again ${wait}`;
  }
  const what = said === "" ? `it answered ${status} ${cleanText(code)}` : said;
  return subject === undefined || status >= 500 ? `${url}: ${what}` : `${subject}: ${what}`;
}

/** `/expires_at` → `--expires-at`. */
function inputFault({ pointer, detail }: Refused["errors"][number]): string {
  const [field = "", part] = pointer.replace(/^\//, "").split("/");
  const option = `--${cleanText(field).replaceAll("_", "-")}${part === "name" ? "-name" : ""}`;
  return `${option}: ${cleanText(detail)}`;
}

const TEXT_MAX = 300;

/** Nothing that moves a cursor, and not a page of it. */
export function cleanText(text: string): string {
  return text.replaceAll(/\p{C}/gu, " ").slice(0, TEXT_MAX).trim();
}

/** The connection broke; the registry may or may not have done what was asked. */
export function isBroken(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(codeOf(error));
}

/** Certificates that this machine does not trust, in the words of OpenSSL and Node. */
const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/;

/** @throws what is no fault of a connection but a bug */
export function transportFault(error: unknown, url: string): CommandError {
  const code = codeOf(error);
  if (error instanceof RegistryFault) return failure(`the answer of ${url} is not one of a Keyward registry`);
  if (code === "" && !isTimeout(error)) throw error;
  if (isTimeout(error)) return failure(`${url} did not answer in time`);
  if (UNTRUSTED.test(code)) {
    return failure(`the certificate of ${url} is not trusted (${code}); name its authority with --ca-file`);
  }
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") return failure(`${url} does not speak TLS (${code})`);
  if (code.startsWith("HPE_")) return failure(`${url} does not speak HTTP (${code})`);
  if (isBroken(error)) {
    return failure(
      `the connection to ${url} broke before the answer (${code}); look whether it was done before repeating it`,
    );
  }
  return failure(`cannot reach the registry at ${url} (${code})`);
}

function isTimeout(error: unknown): boolean {
  return (
    (error instanceof Error && error.name === "TimeoutError") || /_TIMEOUT$|^ETIMEDOUT$/.test(codeOf(error))
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
