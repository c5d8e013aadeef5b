/**
 * What happens to a gate and its upstream as a whole while a storm goes on: the upstream is stopped
 * and continued, goes away and comes back, and the gate is told to reload, now and then a broken
 * config. Remembers when exact outcomes could not be asked for.
 */
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Seeded } from "./seeded.ts";
import { type Span, nowMs } from "./stall-watch.ts";

export interface Disturbed {
  /** Sends it signals. */
  readonly upstream: { kill(signal: NodeJS.Signals): void; write(text: string | undefined): void };
  readonly gate: { kill(signal: NodeJS.Signals): void };
  readonly configFile: string;
}

type Kind = "upstream stopped" | "upstream gone" | "reload" | "bad reload";

/** How long after a disturbance its effects are still felt. */
const AFTERMATH_MS = 2000;
const PAUSE_MIN_MS = 3000;
const PAUSE_MAX_MS = 6000;

export class Disturbances {
  readonly counts = new Map<Kind, number>();
  readonly #spans: Span[] = [];
  readonly #disturbed: Disturbed;
  readonly #random: Seeded;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(disturbed: Disturbed, random: Seeded) {
    this.#disturbed = disturbed;
    this.#random = random;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when everything is as it was. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Something else came in between; its effects are felt for a while as well. */
  add({ fromMs, toMs }: Span): void {
    this.#spans.push({ fromMs, toMs: toMs + AFTERMATH_MS });
  }

  /** Was anything away at some moment of this span? */
  overlap({ fromMs, toMs }: Span): boolean {
    return this.#spans.some((span) => fromMs <= span.toMs && toMs >= span.fromMs);
  }

  async #run(): Promise<void> {
    for (;;) {
      await delay(this.#random.int(PAUSE_MIN_MS, PAUSE_MAX_MS), undefined, this.#abort).catch(
        () => undefined,
      );
      if (this.#abort.signal.aborted) return;
      const kind = this.#random.pick<Kind>(["upstream stopped", "upstream gone", "reload", "bad reload"]);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      await this.#do(kind);
    }
  }

  async #do(kind: Kind): Promise<void> {
    const { upstream, gate, configFile } = this.#disturbed;
    switch (kind) {
      case "reload":
        gate.kill("SIGHUP");
        return;
      case "bad reload": {
        const text = await readFile(configFile, "utf8");
        await writeFile(configFile, "upstreams: [this is no config");
        gate.kill("SIGHUP");
        await delay(300);
        await writeFile(configFile, text);
        return;
      }
      case "upstream stopped":
        await this.#span(async () => {
          upstream.kill("SIGSTOP");
          await delay(this.#random.int(200, 1500));
          upstream.kill("SIGCONT");
        });
        return;
      case "upstream gone":
        await this.#span(async () => {
          upstream.write("shut\n");
          await delay(this.#random.int(200, 800));
          upstream.write("open\n");
        });
    }
  }

  async #span(act: () => Promise<void>): Promise<void> {
    const fromMs = nowMs();
    await act();
    this.add({ fromMs, toMs: nowMs() });
  }
}
