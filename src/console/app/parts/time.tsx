/** A moment: relative in the text, exact in the title and for machines. */
import type { JSX } from "preact";
import { useNow } from "../state/clock.ts";
import { absoluteTime, exactTime, relativeTime } from "./wording.ts";

interface TimeProps {
  readonly at: string | undefined;
  /** When there is no such moment. */
  readonly none?: string;
}

export function Time({ at, none = "Never" }: TimeProps): JSX.Element {
  const nowMs = useNow();
  if (at === undefined) return <span class="quiet">{none}</span>;
  const atMs = Date.parse(at);
  return (
    <time dateTime={at} title={exactTime(atMs)}>
      {relativeTime(atMs, nowMs)}
    </time>
  );
}

/** The exact moment, the relative one behind it. */
export function ExactTime({ at, none = "Never" }: TimeProps): JSX.Element {
  const nowMs = useNow();
  if (at === undefined) return <span class="quiet">{none}</span>;
  const atMs = Date.parse(at);
  return (
    <time dateTime={at} title={exactTime(atMs)}>
      {absoluteTime(atMs)} <span class="quiet">({relativeTime(atMs, nowMs)})</span>
    </time>
  );
}
