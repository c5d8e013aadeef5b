/**
 * What stands behind the snapshot in a snapshot file: changes since it was written, each a line
 * with a checksum of its own, so that a line that was cut by a crash is seen.
 */
import { crc32 } from "node:zlib";
import { z } from "zod";

export const journalEntrySchema = z.discriminatedUnion("kind", [
  /** A change in its turn. */
  z.object({
    kind: z.literal("change"),
    rev: z.int().min(1),
    event: z.enum(["upsert", "revoke"]),
    data: z.unknown(),
  }),
  /** The end of a key that did not come in its turn. */
  z.object({ kind: z.literal("ended"), digest: z.string() }),
  /** Everything above is what the registry had then. */
  z.object({ kind: z.literal("confirmed"), at: z.iso.datetime() }),
]);
export type JournalEntry = z.output<typeof journalEntrySchema>;

export function formatEntry(entry: JournalEntry): string {
  const text = JSON.stringify(entry);
  return `${checksum(text)} ${text}\n`;
}

/** Undefined for a line that is not as it was written. */
export function parseEntry(line: string): JournalEntry | undefined {
  const match = /^([0-9a-f]{8}) (.*)\n$/.exec(line);
  if (match?.[2] === undefined || match[1] !== checksum(match[2])) return undefined;
  try {
    return journalEntrySchema.safeParse(JSON.parse(match[2])).data;
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
