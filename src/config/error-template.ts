/** `errors.format`: one of the known body formats, or a JSON template of one's own. */
import { z } from "zod";
import { nearestWord } from "../base/edit-distance.ts";
import { optionFacts } from "./option.ts";

/** What a template may ask for between double braces. */
export const templateFields = ["status", "code", "title", "detail"] as const;

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

const formatNames = ["problem", "detail", "error"] as const;

export type ErrorFormat = (typeof formatNames)[number] | JsonObject;

const DEPTH_MAX = 16;
const description =
  'Body of refusals: `problem` (RFC 9457), `detail` ({"detail": …}), `error` ({"error": …}), or a JSON ' +
  "template as a mapping or a text, with {{status}}, {{code}}, {{title}} and {{detail}}.";

const unknownFormat = ({ input }: { readonly input?: unknown }): string => {
  const nearest = typeof input === "string" ? nearestWord(input, formatNames) : undefined;
  const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  return `must be problem, detail, error or a JSON template${hint}`;
};

export const errorFormat: z.ZodType<ErrorFormat, string | JsonObject> = z
  .union(
    [
      z.enum(formatNames),
      z.string().regex(/^\s*\{/, { error: unknownFormat }),
      z.record(z.string(), z.json()),
    ],
    "must be problem, detail, error or a JSON template",
  )
  .transform((written, context): ErrorFormat => {
    const known = formatNames.find((name) => name === written);
    if (known !== undefined) return known;
    const template = typeof written === "string" ? parseObject(written) : (written as JsonObject);
    const fault = template === undefined ? "is not valid JSON" : faultOfTemplate(template, 0);
    if (template !== undefined && fault === undefined) return template;
    context.addIssue({ code: "custom", message: fault ?? "is not valid JSON" });
    return z.NEVER;
  })
  .describe(description);
optionFacts.add(errorFormat, { type: "name or JSON template" });

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}

function faultOfTemplate(value: JsonValue, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return `a template is at most ${DEPTH_MAX} levels deep`;
  if (typeof value === "string") return faultOfText(value);
  if (typeof value !== "object" || value === null) return undefined;
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    const fault = faultOfTemplate(part as JsonValue, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfText(text: string): string | undefined {
  for (const [, name = ""] of text.matchAll(/\{\{(.*?)\}\}/gs)) {
    if (templateFields.some((field) => field === name)) continue;
    const known = templateFields.map((field) => `{{${field}}}`).join(", ");
    return `a template knows only ${known}`;
  }
  return undefined;
}
