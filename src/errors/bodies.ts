/** Renders denials into response bodies, in the format that the upstream's own clients expect. */
import { type Challenge, type DenialCode, denialKinds } from "./catalogue.ts";

/** A template is JSON whose strings may hold `{{status}}`, `{{code}}`, `{{title}}`, `{{detail}}`. */
export type BodyFormat = "problem" | "detail" | "error" | { readonly template: unknown };

export interface ErrorPolicy {
  readonly format: BodyFormat;
  /** Tell the client apart unknown, revoked and expired keys. */
  readonly reveals: boolean;
  /** RFC 9110 section 11.5: realm of the challenge. */
  readonly realm: string;
  /** Authentication scheme of the challenge: the one that the gate accepts, else what names a bare key. */
  readonly scheme: string;
  /** Own texts by code, in place of the catalogue's. */
  readonly messages: ReadonlyMap<DenialCode, string>;
}

export interface RenderedDenial {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** RFC 6750 challenge without the scope attribute; undefined where none belongs. */
  readonly challenge: string | undefined;
  readonly closes: boolean;
}

/** Answers that would tell a guesser whether a key exists look like that of an unknown key. */
const CONCEALED: ReadonlySet<DenialCode> = new Set(["key_revoked", "key_expired", "key_not_yet_valid"]);

export function publicCode(code: DenialCode, policy: ErrorPolicy): DenialCode {
  return !policy.reveals && CONCEALED.has(code) ? "key_invalid" : code;
}

/** @param exact in place of the catalogue's text; the config's own goes before both */
export function renderDenial(code: DenialCode, policy: ErrorPolicy, exact?: string): RenderedDenial {
  const shown = publicCode(code, policy);
  const kind = denialKinds[shown];
  const detail = policy.messages.get(shown) ?? exact ?? kind.detail;
  const fields = { status: kind.status, code: shown, title: kind.title, detail };
  const isProblem = policy.format === "problem";
  return {
    status: kind.status,
    contentType: isProblem ? "application/problem+json" : "application/json",
    // Our own format ends with a newline, for terminals; another API's is replayed byte for byte.
    body: Buffer.from(JSON.stringify(bodyOf(policy.format, fields)) + (isProblem ? "\n" : "")),
    challenge: challengeOf(kind.challenge, policy, detail),
    closes: "closes" in kind,
  };
}

interface Fields {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
}

function bodyOf(format: BodyFormat, fields: Fields): unknown {
  if (format === "problem") return { type: "about:blank", ...fields };
  if (format === "detail") return { detail: fields.detail };
  if (format === "error") return { error: fields.detail };
  return fillTemplate(format.template, fields);
}

function fillTemplate(template: unknown, fields: Fields): unknown {
  if (typeof template === "string") {
    // A lone {{status}} stays a number, as most APIs have it.
    if (template === "{{status}}") return fields.status;
    return template.replace(/\{\{(status|code|title|detail)\}\}/g, (_, name: keyof Fields) =>
      String(fields[name]),
    );
  }
  if (Array.isArray(template)) return template.map((item) => fillTemplate(item, fields));
  if (template !== null && typeof template === "object") {
    return Object.fromEntries(
      Object.entries(template).map(([name, value]) => [name, fillTemplate(value, fields)]),
    );
  }
  return template;
}

/** RFC 6750 section 3: no error attribute when no credential was sent. */
function challengeOf(challenge: Challenge, policy: ErrorPolicy, detail: string): string | undefined {
  if (challenge === "none") return undefined;
  const start = `${policy.scheme} realm="${policy.realm}"`;
  if (challenge === "bare") return start;
  const text = detail.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, " ");
  return `${start}, error="${challenge}", error_description="${text}"`;
}
