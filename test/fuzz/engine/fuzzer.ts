/** What a fuzzer is: something that makes inputs and judges each. The rest of the engine knows no more. */
import type { Random } from "./random.ts";

/** How a client ends: half-closes behind its last byte, leaves it to the server, or breaks off. */
export type Ending = "half-close" | "wait" | "reset";

export interface Input {
  /** What is fed in; on the wire each character is a byte. */
  readonly text: string;
  /** Where the bytes are cut into separate writes; the wire's alone. */
  readonly cuts?: readonly number[];
  /** The wire's alone; when left out the client leaves once it has its answers, or nothing comes. */
  readonly ending?: Ending;
}

export interface Complaint {
  /** What is wrong. Text before the first colon is its kind: one of a kind is enough. */
  readonly reason: string;
  /** Any input under way at that time may be the culprit. */
  readonly isShared?: true;
}

/** Undefined when nothing is wrong. */
export type Verdict = Complaint | undefined;

export interface Fuzzer extends AsyncDisposable {
  /** Inputs under way at once. */
  readonly lanes: number;
  /** Longer than this on one input is a finding. */
  readonly slowMs: number;
  /** Counted while it ran: what shows that the inputs reached something. */
  readonly figures: Readonly<Record<string, number>>;
  generate(random: Random): Input;
  /** What it throws is a finding: a crash. */
  check(input: Input): Verdict | Promise<Verdict>;
  /** What can only be seen once all inputs are through. */
  settle?(): Promise<Verdict>;
}

/** A fuzzer by name, opened when it is its turn. */
export interface FuzzerKind {
  readonly name: string;
  readonly what: string;
  /** The one system that it runs on; all when left out. */
  readonly platform?: NodeJS.Platform;
  /** Inputs in a run of `npm run fuzz`, and of `npm run fuzz -- --long`. */
  readonly count: number;
  readonly longCount: number;
  open(): Fuzzer | Promise<Fuzzer>;
}
