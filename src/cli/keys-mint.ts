/** Making a key: what its secret looks like, which details it may have, how it is told once. */
import type { RandomBytes } from "../base/random.ts";
import { canStandInKey, compileKeyFormat, type KeyFormat, PREFIX_DEFAULT } from "../keys/format.ts";
import { formatInstant, type KeyDetails } from "../keys/life-cycle.ts";
import { type KeyRecord, keyRecordSchema } from "../keys/record.ts";
import type { CommandIo } from "./command.ts";
import { durationOption, instantOption, type KeysPlace, usageError } from "./keys-command.ts";
import { keyFacts, type ShownKey } from "./keys-output.ts";
import { usesColour } from "./table.ts";

/** Options about the looks of a new key. */
export const formatOptions = {
  prefix: { type: "string" },
  checksum: { type: "boolean", default: false },
} as const;

export interface FormatValues {
  readonly prefix?: string | undefined;
  readonly checksum: boolean;
}

export const expiryOptions = {
  "expires-at": { type: "string" },
  "expires-in": { type: "string" },
  "expires-in-days": { type: "string" },
} as const;

export interface ExpiryValues {
  readonly "expires-at"?: string | undefined;
  readonly "expires-in"?: string | undefined;
  readonly "expires-in-days"?: string | undefined;
}

/** The gate's own format; where none is at hand, one of the call's prefix and environment. */
export function formatFor(
  place: KeysPlace,
  values: FormatValues,
  environment: string | undefined,
): KeyFormat {
  const { format } = place;
  if (values.prefix === undefined && format !== undefined) {
    return compileKeyFormat({ ...format, checksum: format.checksum || values.checksum });
  }
  const prefix = values.prefix ?? PREFIX_DEFAULT;
  if (!canStandInKey(prefix)) throw usageError("--prefix must be 1 to 32 characters of A-Z a-z 0-9 _ -");
  const environments =
    format?.environments ?? (environment !== undefined && canStandInKey(environment) ? [environment] : []);
  return compileKeyFormat({ prefix, environments, checksum: format?.checksum === true || values.checksum });
}

/** For the successor of a key, where no config is at hand: what the key itself began with. */
export function formatLike(place: KeysPlace, values: FormatValues, record: KeyRecord): KeyFormat {
  const head = record.start?.slice(0, record.start.lastIndexOf("_"));
  if (
    values.prefix !== undefined ||
    place.format !== undefined ||
    head === undefined ||
    !canStandInKey(head)
  ) {
    return formatFor(place, values, record.environment);
  }
  return compileKeyFormat({ prefix: head, environments: [], checksum: values.checksum });
}

/** A new secret that the gate will take for a key. */
export function mintSecret(
  format: KeyFormat,
  environment: string | undefined,
  place: KeysPlace,
  random: RandomBytes,
): string {
  const { environments } = format;
  if (environments.length > 0 && (environment === undefined || !environments.includes(environment))) {
    throw usageError(`--environment must be ${environments.join(" or ")}: it stands in the key`);
  }
  const secret = format.mint(environment, random);
  const fault = compileKeyFormat(place.format).check(secret);
  if (fault !== undefined) throw usageError(`the gate's key_format would refuse such a key (${fault})`);
  return secret;
}

const DAY_MS = 86_400_000;

/** @throws CommandError when it is no number of days that counts */
function daysOption(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= DAYS_MAX) return Number(text);
  throw usageError(`--expires-in-days must be a number from 1 to ${DAYS_MAX}`);
}

/** A hundred years. */
const DAYS_MAX = 36_500;

/** The end of a key's life as the call wants it; undefined when it says nothing. */
export function expiryOption(values: ExpiryValues, nowMs: number): string | undefined {
  const { "expires-at": at, "expires-in": within, "expires-in-days": days } = values;
  if ([at, within, days].filter((given) => given !== undefined).length > 1) {
    throw usageError("give one of --expires-at, --expires-in and --expires-in-days");
  }
  if (days !== undefined) return formatInstant(nowMs + daysOption(days) * DAY_MS);
  if (within !== undefined) return formatInstant(nowMs + durationOption("--expires-in", within, 1000));
  if (at === undefined) return undefined;
  const instant = instantOption("--expires-at", at);
  if (Date.parse(instant) <= nowMs) throw usageError("--expires-at is in the past");
  return instant;
}

const detailsSchema = keyRecordSchema.omit({ id: true, digest: true });

/** Holds the call's details against the rules of the key file. */
export function checkDetails(details: KeyDetails): KeyDetails {
  const { not_before, expires_at } = details;
  if (
    not_before !== undefined &&
    expires_at !== undefined &&
    Date.parse(expires_at) <= Date.parse(not_before)
  ) {
    throw usageError("--expires-at must be after --not-before");
  }
  const parsed = detailsSchema.safeParse(details);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [field, part] = issue?.path ?? [];
  const option = `--${String(field).replaceAll("_", "-")}${part === "name" ? "-name" : ""}`;
  throw usageError(`${option}: ${issue?.message ?? "is not acceptable"}`);
}

/** The secret alone on standard output, so that `KEY=$(keyward keys create …)` holds nothing else. */
export function tellSecret(io: CommandIo, where: string, secret: string, key: ShownKey): void {
  const facts = keyFacts(key, usesColour(io), "  ");
  io.stderr.write(`Made ${key.id} in ${where}:\n${facts}Its secret, shown only this once:\n`);
  io.stdout.write(`${secret}\n`);
}
