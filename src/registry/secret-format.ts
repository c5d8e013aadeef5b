/**
 * What new secrets look like: as `key_format` of the registry says, or where a call or an older key
 * says otherwise, like that. Knows nothing of who may make a key.
 */
import type { RandomBytes } from "../base/random.ts";
import {
  canStandInKey,
  compileKeyFormat,
  type KeyFormat,
  type KeyFormatOptions,
  PREFIX_DEFAULT,
} from "../keys/format.ts";
import type { KeyRecord } from "../keys/record.ts";
import { Problem } from "./problem.ts";

/** A new secret; refused when the environment is none that keys of this format can name. */
export function mintSecret(
  format: KeyFormatOptions | undefined,
  environment: string | undefined,
  prefix: string | undefined,
  random: RandomBytes,
): string | Problem {
  const environments = format?.environments ?? [];
  if (environments.length > 0 && (environment === undefined || !environments.includes(environment))) {
    const detail = `must be ${environments.join(" or ")}: it stands in the key`;
    return new Problem("field_invalid", { errors: [{ pointer: "/environment", detail }] });
  }
  return formatFor(format, environment, prefix).mint(environment, random);
}

/** The successor of a key looks like it: gates that take the one take the other. */
export function mintLike(
  record: KeyRecord,
  format: KeyFormatOptions | undefined,
  random: RandomBytes,
): string {
  const head = record.start?.slice(0, Math.max(0, record.start.lastIndexOf("_")));
  const isOurs = head === undefined || !canStandInKey(head);
  const like = isOurs
    ? formatFor(format, record.environment, undefined)
    : compileKeyFormat({ prefix: head, environments: [], checksum: format?.checksum === true });
  const environment = like.environments.length > 0 ? (record.environment ?? like.environments[0]) : undefined;
  return like.mint(environment, random);
}

function formatFor(
  format: KeyFormatOptions | undefined,
  environment: string | undefined,
  prefix: string | undefined,
): KeyFormat {
  // Without a format of its own a registry makes keys that still tell their environment.
  const environments =
    format?.environments ?? (environment !== undefined && canStandInKey(environment) ? [environment] : []);
  return compileKeyFormat({
    prefix: prefix ?? format?.prefix ?? (format === undefined ? PREFIX_DEFAULT : undefined),
    environments,
    checksum: format?.checksum === true,
  });
}
