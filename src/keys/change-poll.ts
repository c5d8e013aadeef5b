/** Follows the registry's changes by long polls, where no event stream gets through. */
import type { FollowOptions, Need } from "./change-stream.ts";
import { RegistryFault } from "./registry-fault.ts";
import { changesAnswerSchema, parseCursor } from "./wire.ts";

/** One long poll. @throws RegistryFault */
export async function followPoll(
  options: FollowOptions,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<Need> {
  const { client, table, onCurrent } = options;
  if (table.cursor === undefined) return "snapshot";
  const answer = await client.poll(table.cursor, waitSeconds, signal);
  if (answer === undefined) {
    onCurrent();
    return "nothing";
  }
  const parsed = changesAnswerSchema.safeParse(answer);
  const end = parsed.success ? parseCursor(parsed.data.cursor) : undefined;
  if (!parsed.success || end === undefined)
    throw new RegistryFault("garbage", "a long poll is not understood");
  for (const { cursor: written, event, data } of parsed.data.changes) {
    if (event === "reset") return "snapshot";
    const cursor = parseCursor(written);
    if (cursor === undefined) throw new RegistryFault("garbage", "a change has no cursor");
    const applied = table.apply(cursor, event, data);
    if (applied === "reset") return "snapshot";
    if (applied === "gap") return "delta";
  }
  if (end.epoch !== table.cursor.epoch) return "snapshot";
  if (end.rev > table.cursor.rev) return "delta";
  // One that knows less than we do has lost something, and cannot say that we are current.
  if (end.rev === table.cursor.rev) onCurrent();
  return "nothing";
}
