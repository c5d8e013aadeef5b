/** Cursor pages: how many, after which; and what becomes of a cursor that the store cannot read. */
import { z } from "zod";
import { Problem } from "./problem.ts";
import { InvalidPage, type Page } from "./store.ts";

const LIMIT_DEFAULT = 50;
const CURSOR_LENGTH_MAX = 512;

interface PageInput {
  readonly limit: z.ZodType<number, string | undefined>;
  readonly cursor: z.ZodType<string | undefined, string | undefined>;
}

/** Parameters of a list. Those of a query are text; the number is read from it. */
export function pageInput(pageMax: number): PageInput {
  const refusal = `must be a number from 1 to ${pageMax}`;
  return {
    limit: z
      .string()
      .regex(/^[1-9]\d{0,4}$/, refusal)
      .transform(Number)
      .refine((limit) => limit <= pageMax, refusal)
      .describe(`Items on a page, 1 to ${pageMax}.`)
      .prefault(String(Math.min(LIMIT_DEFAULT, pageMax))),
    cursor: z.string().min(1).max(CURSOR_LENGTH_MAX).optional().describe("`next` of the page before."),
  };
}

interface PageRequest {
  readonly limit: number;
  readonly after?: string;
}

export async function readPage<T>(
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  read: (page: PageRequest) => Promise<Page<T>>,
): Promise<Page<T> | Problem> {
  try {
    return await read({ limit, ...(cursor !== undefined && { after: cursor }) });
  } catch (error) {
    if (error instanceof InvalidPage) return new Problem("cursor_invalid");
    throw error;
  }
}

type Given<T> = { readonly [name in keyof T]: T[name] | undefined };

/** Drops what was not asked for: an absent filter is not one for nothing. */
export function definedOnly<T extends object>(filter: Given<T>): T {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as T;
}
