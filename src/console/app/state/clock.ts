/** The present, for times that are shown relative to it. Moves twice a minute, for the whole page. */
import { Observable, useObservable } from "./observable.ts";

const EVERY_MS = 30_000;

const now: Observable<number> = new Observable(Date.now());

export function startClock(): void {
  setInterval(() => now.set(Date.now()), EVERY_MS);
}

/** Milliseconds since 1970, at most half a minute ago. */
export function useNow(): number {
  return useObservable(now);
}
