/**
 * Counts failed attempts per address and says when one has had enough. Tokens carry 190 random bits
 * and cannot be guessed; what is spared is the storage that each guess would ask.
 */
import { isIPv6 } from "node:net";
import type { Clock } from "../base/clock.ts";

export interface ThrottleOptions {
  /** Failures within a window; more are turned away. */
  readonly failuresMax: number;
  readonly windowMs: number;
  /** Addresses remembered; the oldest is forgotten first. */
  readonly addressesMax: number;
}

interface Tally {
  failures: number;
  readonly endsAtMs: number;
}

export class FailureThrottle {
  readonly #options: ThrottleOptions;
  readonly #clock: Clock;
  readonly #tallies = new Map<string, Tally>();

  constructor(options: ThrottleOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Counts an attempt as failed until `succeeded` takes it back: a thousand at once must not all
   * begin before the first one fails.
   * @returns seconds to wait, or undefined when the attempt may be made
   */
  attempt(address: string): number | undefined {
    const name = networkOf(address);
    const nowMs = this.#clock.monotonic();
    const known = this.#tallies.get(name);
    if (known === undefined || known.endsAtMs <= nowMs) {
      this.#tallies.delete(name);
      this.#makeRoom();
      this.#tallies.set(name, { failures: 1, endsAtMs: nowMs + this.#options.windowMs });
      return undefined;
    }
    if (known.failures >= this.#options.failuresMax) return Math.ceil((known.endsAtMs - nowMs) / 1000);
    known.failures++;
    return undefined;
  }

  succeeded(address: string): void {
    const tally = this.#tallies.get(networkOf(address));
    if (tally !== undefined && tally.failures > 0) tally.failures--;
  }

  #makeRoom(): void {
    if (this.#tallies.size < this.#options.addressesMax) return;
    const oldest = this.#tallies.keys().next();
    if (oldest.done !== true) this.#tallies.delete(oldest.value);
  }
}

/** Who has one IPv6 address has a /64 of them. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
