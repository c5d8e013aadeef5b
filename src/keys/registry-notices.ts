/**
 * What a gate has to say about its registry: counted always, told to the log when it begins and then
 * now and again, so that a registry in trouble does not fill the log.
 */
import type { Clock } from "../base/clock.ts";
import type { RegistryFault } from "./registry-fault.ts";
import type { Distrust } from "./registry-table.ts";

export type Report = (
  level: "info" | "warn" | "error",
  message: string,
  fields?: Readonly<Record<string, string | number>>,
  error?: unknown,
) => void;

/** What goes on is told again after this long. */
const AGAIN_MS = 60_000;

const MESSAGES: Readonly<Record<Distrust, string>> = {
  record_refused: "a key record is not understood; its key is refused",
  revocation_undone: "the registry takes a revocation back; the key stays revoked",
  removal_held: "a snapshot lacks more than half of the active keys; they are kept until it is confirmed",
};

export class RegistryNotices {
  readonly #clock: Clock;
  readonly #report: Report;
  readonly #toldMs = new Map<string, number>();
  readonly #distrusted: Record<Distrust, number> = {
    record_refused: 0,
    revocation_undone: 0,
    removal_held: 0,
  };
  #isReached = false;

  constructor(clock: Clock, report: Report) {
    this.#clock = clock;
    this.#report = report;
  }

  /** What was not believed so far, by kind. */
  get distrusted(): Readonly<Record<Distrust, number>> {
    return this.#distrusted;
  }

  distrust(what: Distrust, note: string): void {
    this.#distrusted[what]++;
    if (!this.#isDue(what)) return;
    const level = what === "record_refused" ? "warn" : "error";
    this.#report(level, MESSAGES[what], { note, count: this.#distrusted[what] });
  }

  /** Told once, until it fails again. */
  reached(facts: () => Readonly<Record<string, string | number>>): void {
    if (this.#isReached) return;
    this.#isReached = true;
    this.#toldMs.delete("fault");
    this.#report("info", "the registry is reached", facts());
  }

  failed(fault: RegistryFault, retryInMs: number): void {
    this.#isReached = false;
    if (!this.#isDue("fault")) return;
    const { kind, message } = fault;
    this.#report("warn", "the registry cannot be used", {
      kind,
      note: message,
      retry_ms: Math.round(retryInMs),
    });
  }

  /** A failure on this machine. */
  trouble(message: string, error?: unknown): void {
    if (this.#isDue(message)) this.#report("error", message, {}, error);
  }

  #isDue(what: string): boolean {
    const nowMs = this.#clock.monotonic();
    const beforeMs = this.#toldMs.get(what);
    if (beforeMs !== undefined && nowMs - beforeMs < AGAIN_MS) return false;
    this.#toldMs.set(what, nowMs);
    return true;
  }
}
