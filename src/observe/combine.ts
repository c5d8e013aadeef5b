/**
 * Several observers as one. Observing must never break what is observed: an observer that throws
 * loses its own record of that exchange, is counted, and is reported once.
 */
import type { Exchange, Observer } from "../gate/exchange.ts";

/** Called at the first failure of each observer; later ones are only counted. */
export type ReportFailure = (observerName: string, error: unknown) => void;

export class CombinedObserver implements Observer {
  readonly #observers: readonly Observer[];
  readonly #report: ReportFailure;
  readonly #reported = new Set<Observer>();
  #failures = 0;

  constructor(observers: readonly Observer[], report: ReportFailure) {
    this.#observers = observers;
    this.#report = report;
  }

  get failures(): number {
    return this.#failures;
  }

  started(exchange: Exchange): void {
    for (const observer of this.#observers) {
      try {
        observer.started(exchange);
      } catch (error) {
        this.#failed(observer, error);
      }
    }
  }

  finished(exchange: Exchange): void {
    for (const observer of this.#observers) {
      try {
        observer.finished(exchange);
      } catch (error) {
        this.#failed(observer, error);
      }
    }
  }

  #failed(observer: Observer, error: unknown): void {
    this.#failures++;
    if (this.#reported.has(observer)) return;
    this.#reported.add(observer);
    try {
      this.#report(observer.constructor.name, error);
    } catch {
      // The log itself is what fails; the count remains.
    }
  }
}
