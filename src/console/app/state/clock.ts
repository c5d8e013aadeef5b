/** The present, for times that are shown relative to it: they are drawn again twice a minute. */
import { Observable, useObservable } from "./observable.ts";

const EVERY_MS = 30_000;

const ticks: Observable<number> = new Observable(0);

export function startClock(): void {
  setInterval(() => ticks.set(ticks.value + 1), EVERY_MS);
}

/** Milliseconds since 1970, when this component was last drawn. */
export function useNow(): number {
  useObservable(ticks);
  return Date.now();
}
