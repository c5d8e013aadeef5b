/** Numbers and times as people read them. Pure. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
// Day before month in letters: nobody reads it the wrong way round.
const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** From large to small; the first that fits is the one. */
const UNITS = [
  ["year", 365 * DAY_MS],
  ["month", 30 * DAY_MS],
  ["day", DAY_MS],
  ["hour", HOUR_MS],
  ["minute", MINUTE_MS],
] as const;

/** "3 minutes ago", "in 2 days". */
export function relativeTime(atMs: number, nowMs: number): string {
  const apartMs = atMs - nowMs;
  for (const [unit, ms] of UNITS) {
    if (Math.abs(apartMs) >= ms) return relative.format(Math.trunc(apartMs / ms), unit);
  }
  return apartMs > 0 ? "in less than a minute" : "just now";
}

export const absoluteTime = (atMs: number): string => absolute.format(atMs);
/** To the second, with the time zone. */
export const exactTime = (atMs: number): string => exact.format(atMs);
export const dateOf = (atMs: number): string => day.format(atMs);
/** The end of a day as a date field gives it, where the person is. */
export const endOfDay = (date: string): string => new Date(`${date}T23:59:59`).toISOString();

export const wholeNumber = (count: number): string => whole.format(count);
export const shortNumber = (count: number): string => short.format(count);
/** Whole as long as three of them fit beside a name on a phone. */
export const columnNumber = (count: number): string => (count < 1e7 ? whole : short).format(count);

/** "1 request", "3 requests". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${wholeNumber(count)} ${count === 1 ? one : many}`;
}

export function percent(part: number, all: number): string {
  if (all === 0 || part === 0) return "0 %";
  const share = (part / all) * 100;
  // Not quite all of them is not all of them.
  if (part < all && share >= 99) return `${Math.min(99.9, Math.floor(share * 10) / 10).toFixed(1)} %`;
  return share < 0.1 ? "< 0.1 %" : `${share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${BYTE_UNITS[unit] ?? ""}`;
}

/** "4.2 s", "3 min" */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return ms < 2 * DAY_MS ? `${Math.round(ms / HOUR_MS)} h` : `${Math.round(ms / DAY_MS)} days`;
}

/** Why a gate refused, from the code of the denial. */
const REASONS: Readonly<Record<string, string>> = {
  key_expired: "Key expired",
  key_revoked: "Key revoked",
  key_invalid: "Key not valid",
  scope_missing: "Scope missing",
  environment_denied: "Wrong environment",
  network_denied: "Network not allowed",
  route_denied: "Route not allowed",
  rate_limited: "Rate limited",
  body_too_large: "Body too large",
};

export function reasonText(code: string): string {
  const text = code.replaceAll("_", " ");
  return REASONS[code] ?? text.charAt(0).toUpperCase() + text.slice(1);
}
