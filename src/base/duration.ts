/** Durations as people write them: a whole number and its unit, `500ms`, `30s`, `5m`, `24h`, `30d`. */

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const WRITTEN = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Milliseconds; undefined when the text is not a duration. A number without a unit is none. */
export function parseDuration(text: string): number | undefined {
  const match = WRITTEN.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** The shortest way to write whole milliseconds: `90000` is `90s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const unit = (["d", "h", "m", "s"] as const).find((unit) => ms % UNIT_MS[unit] === 0) ?? "ms";
  return `${ms / UNIT_MS[unit]}${unit}`;
}
