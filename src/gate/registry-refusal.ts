/** What the registry refuses, as this gate's own refusals: in the words of its catalogue, with the exact fault. */
import type { DenialCode } from "../errors/catalogue.ts";
import { Denial } from "../errors/denial.ts";
import type { CallerAnswer } from "../keys/caller-client.ts";
import type { RegistryFault } from "../keys/registry-fault.ts";

/** The registry's code → ours. */
const CODES: Readonly<Record<string, DenialCode>> = {
  request_invalid: "body_invalid",
  parameter_invalid: "parameter_invalid",
  cursor_invalid: "parameter_invalid",
  range_too_large: "parameter_invalid",
  // The gate did not know yet that its caller is revoked.
  caller_invalid: "key_revoked",
  delegation_denied: "grant_denied",
  authority_exceeded: "grant_denied",
  not_found: "key_not_found",
  key_revoked: "key_conflict",
  key_expired: "key_conflict",
  key_rotated: "key_conflict",
  key_not_rotating: "key_conflict",
  too_many_keys: "key_conflict",
  changed_meanwhile: "key_conflict",
  request_in_progress: "key_conflict",
  body_too_large: "body_too_large",
  field_invalid: "field_invalid",
  idempotency_key_reused: "idempotency_key_reused",
};

/** Codes whose text says more than ours. */
const EXACT: ReadonlySet<DenialCode> = new Set([
  "parameter_invalid",
  "grant_denied",
  "key_conflict",
  "field_invalid",
]);
const FAULTS_SHOWN = 3;
const DETAIL_LENGTH_MAX = 500;

export function denialOfRefusal({ code, detail, faults }: Extract<CallerAnswer, { ok: false }>): Denial {
  const ours = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  const note = `the registry refused: ${printable(code)}`;
  if (ours === undefined) return new Denial("registry_unavailable", { note, detail: UNAVAILABLE });
  if (!EXACT.has(ours)) return new Denial(ours, { note });
  const places = faults.slice(0, FAULTS_SHOWN).map(({ pointer, detail }) => `${pointer} ${detail}`);
  const exact = places.length === 0 ? detail : `${detail} (${places.join("; ")})`;
  return new Denial(ours, { note, detail: printable(exact) });
}

const UNAVAILABLE = "The key registry cannot be reached right now. Try again.";

export function denialOfFault(fault: RegistryFault): Denial {
  // A registry without this call, such as a file on a web server.
  if (fault.kind === "unsupported")
    return new Denial("not_implemented", { note: fault.message, detail: UNKNOWN });
  return new Denial("registry_unavailable", {
    note: fault.message,
    detail: UNAVAILABLE,
    retryAfterSeconds: Math.max(1, Math.ceil((fault.retryAfterMs ?? 0) / 1000)),
  });
}

const UNKNOWN = "The key registry does not know this call.";

function printable(text: string): string {
  return text.slice(0, DETAIL_LENGTH_MAX).replaceAll(/[^ -~]/g, "?");
}
