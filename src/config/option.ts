/**
 * The kinds of option that the config is made of. Each knows its unit and its bounds, so that the
 * JSON Schema, the reference page and the faults all say the same.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { formatDuration, parseDuration } from "../base/duration.ts";
import { formatSize, parseSize } from "../base/size.ts";

/**
 * For checks across a mapping: run them also when some option in it is faulty, so that all faults
 * are told at once. Such a check must not rely on what it finds.
 */
export const evenIfFaulty: z.core.$ZodSuperRefineParams = {
  when: ({ value }) => isMapping(value),
};

export function isMapping(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the reference says of an option beyond its JSON Schema. */
export interface OptionFacts {
  readonly type: string;
  readonly bound?: string;
}

/** Facts by schema; filled by the builders below. */
export const optionFacts: z.core.$ZodRegistry<OptionFacts> = z.registry<OptionFacts>();

function withFacts<T extends z.ZodType>(schema: T, facts: OptionFacts): T {
  optionFacts.add(schema, facts);
  return schema;
}

export interface DurationRange {
  readonly min: string;
  readonly max: string;
  /** `0s` is allowed below the minimum and switches the timer off. */
  readonly zeroIsOff?: true;
}

/** Text such as `2s`, read as milliseconds. */
export function duration(range: DurationRange, description: string): z.ZodType<number, string> {
  const min = parseDuration(range.min) ?? 0;
  const max = parseDuration(range.max) ?? 0;
  const off = range.zeroIsOff === true;
  const bound = `${formatDuration(min)} to ${formatDuration(max)}${off ? ", or 0s for off" : ""}`;
  const schema = z
    .string("must be a duration with its unit, such as 500ms, 30s, 5m or 24h")
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, "must be a duration with its unit, such as 500ms, 30s, 5m or 24h")
    .transform((text, context) => {
      const ms = parseDuration(text) ?? 0;
      if ((ms >= min && ms <= max) || (off && ms === 0)) return ms;
      context.addIssue({ code: "custom", message: `must be ${bound}` });
      return z.NEVER;
    })
    .describe(description);
  return withFacts(schema, { type: "duration", bound });
}

/** Text such as `64KiB` or plain bytes, read as bytes. */
export function size(
  range: { readonly min: string; readonly max: string },
  description: string,
): z.ZodType<number, string | number> {
  const min = parseSize(range.min) ?? 0;
  const max = parseSize(range.max) ?? 0;
  const bound = `${formatSize(min)} to ${formatSize(max)}`;
  const unreadable = "must be a size such as 64KiB, 10MiB or 1GiB, or a number of bytes";
  const schema = z
    .union([z.int(), z.string().regex(/^\d{1,15}(B|KiB|MiB|GiB|TiB)?$/, unreadable)], unreadable)
    .transform((written, context) => {
      const bytes = typeof written === "number" ? written : (parseSize(written) ?? -1);
      if (bytes >= min && bytes <= max) return bytes;
      context.addIssue({ code: "custom", message: `must be ${bound}` });
      return z.NEVER;
    })
    .describe(description);
  return withFacts(schema, { type: "size", bound });
}

/** A whole number within bounds. */
export function integer(min: number, max: number, description: string): z.ZodInt {
  const schema = z.int().min(min).max(max).describe(description);
  return withFacts(schema, { type: "integer", bound: `${min} to ${max}` });
}

/** On or off. */
export function flag(description: string): z.ZodBoolean {
  return withFacts(z.boolean().describe(description), { type: "boolean" });
}

const BAD_TEXT = /[\u0000-\u001f\u007f]/;

/** Text of one line: what is to become a header value, a path or a log field holds no control characters. */
export function line(max: number, description: string): z.ZodString {
  const schema = z
    .string()
    .min(1, "must not be empty")
    .max(max)
    .refine((text) => !BAD_TEXT.test(text), "must not contain control characters")
    .describe(description);
  return withFacts(schema, { type: "text", bound: `at most ${max} characters` });
}

/** The path of a file; relative paths are meant from the config file's folder. */
export function filePath(description: string): z.ZodString {
  return withFacts(line(4096, description), { type: "file path" });
}

/** An address or a network: `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`. */
export function network(description: string): z.ZodString {
  const schema = z
    .string()
    .refine(isNetwork, "must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32")
    .describe(description);
  return withFacts(schema, { type: "network" });
}

function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || address.includes("%") || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** A scope as keys hold it and routes ask for it; `*` is every scope. */
export function scopeName(description: string): z.ZodString {
  const schema = z
    .string()
    .regex(/^(\*|[A-Za-z0-9._:/-]{1,128})$/, "must be * or 1 to 128 characters of A-Z a-z 0-9 . _ : / -")
    .describe(description);
  return withFacts(schema, { type: "scope" });
}

/** The environment of a key, as key records write it. */
export function environmentName(description: string): z.ZodString {
  const schema = z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}$/, "must be 1 to 128 characters of A-Z a-z 0-9 . _ : -")
    .describe(description);
  return withFacts(schema, { type: "environment" });
}
