/**
 * Clients of a cluster's gates: every request they send is counted, and every answer is held against
 * the ledger. Load in the background, and single questions.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ask } from "../support/http-client.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Cluster, ClusterGate, Key } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";

/** What a key's clients were answered. */
export interface Counted {
  /** Let in. */
  requests: number;
  /** Refused after the key had been revoked. */
  denied: number;
}

/** One request that was let in, for what a killed gate may lose. */
export interface LetIn {
  readonly gate: string;
  readonly endedMs: number;
}

const VIOLATIONS_MAX = 50;

export interface TrafficOptions {
  readonly ledger: Ledger;
  /** Between two requests of one client. */
  readonly paceMs: number;
  readonly clientsPerGate: number;
}

export class Traffic implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #options: TrafficOptions;
  readonly #counts = new Map<string, Counted>();
  readonly #stop = new AbortController();
  readonly #resting = new Set<string>();
  #clients: Promise<void>[] = [];
  readonly #keys = new Map<string, readonly Key[]>();
  #violationCount = 0;
  /** The first few, in words. */
  readonly violations: string[] = [];
  readonly byStatus: Record<number, number> = {};
  readonly letIn: LetIn[] = [];
  #requests = 0;
  #underWay = 0;
  readonly #brokenOff = new Map<string, number>();

  constructor(cluster: Cluster, options: TrafficOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  get requests(): number {
    return this.#requests;
  }

  get violationCount(): number {
    return this.#violationCount;
  }

  /** What was sent with the key so far. */
  counted(key: Key): Counted {
    const known = this.#counts.get(key.id) ?? { requests: 0, denied: 0 };
    this.#counts.set(key.id, known);
    return known;
  }

  /** Of all keys. */
  get counts(): ReadonlyMap<string, Counted> {
    return this.#counts;
  }

  /** Nobody asks any more what was sent with these. */
  forget(ids: ReadonlySet<string>): void {
    for (const id of ids) this.#counts.delete(id);
  }

  /** Keys that the load uses from now on, at these gates. */
  use(keys: readonly Key[], gates = this.#cluster.gates): void {
    for (const gate of gates) this.#keys.set(gate.name, keys);
    if (this.#clients.length > 0) return;
    this.#clients = this.#cluster.gates.flatMap((gate) =>
      Array.from({ length: this.#options.clientsPerGate }, (_, index) => this.#run(gate, index)),
    );
  }

  /** No load at this gate until `resume`, and whatever is under way may break off. */
  pause(gate: ClusterGate): void {
    this.#resting.add(gate.name);
  }

  /** Requests that got no answer, because the gate was being killed. */
  brokenOff(gate: ClusterGate): number {
    return this.#brokenOff.get(gate.name) ?? 0;
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    await waitFor("the requests under way", () => this.#underWay === 0, { deadlineMs: 30_000 });
  }

  resume(gate: ClusterGate): void {
    this.#resting.delete(gate.name);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  /** One request; undefined when the gate broke off, which only one that is being killed may do. */
  async ask(gate: ClusterGate, key: Key, method = "GET"): Promise<number | undefined> {
    const startedMs = performance.now();
    const { ledger } = this.#options;
    let status: number;
    this.#underWay++;
    try {
      const path = method === "GET" ? "/v1/memories" : "/v1/memories/1";
      ({ status } = await ask(`${gate.process.url}${path}`, { method, key: key.secret, agent: gate.agent }));
    } catch (error) {
      if (!this.#resting.has(gate.name)) this.#violated(`${gate.name} broke off: ${String(error)}`);
      this.#brokenOff.set(gate.name, this.brokenOff(gate) + 1);
      return undefined;
    } finally {
      this.#underWay--;
    }
    const endedMs = performance.now();
    this.#requests++;
    this.byStatus[status] = (this.byStatus[status] ?? 0) + 1;
    const counted = this.counted(key);
    if (status === 200) {
      counted.requests++;
      this.letIn.push({ gate: gate.name, endedMs });
    }
    if (status === 401 && ledger.isRevokedOrAsked(key.id)) counted.denied++;
    const wrong = ledger.judge({ gate: gate.name, key: key.id, status, startedMs, endedMs });
    if (wrong !== undefined) this.#violated(wrong);
    return status;
  }

  #violated(what: string): void {
    this.#violationCount++;
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(what);
  }

  /** Until it is answered so, by asking; @returns when that answer had come, or undefined at the deadline. */
  async until(
    gate: ClusterGate,
    key: Key,
    status: number,
    { deadlineMs, everyMs }: { deadlineMs: number; everyMs: number },
  ): Promise<number | undefined> {
    const endMs = performance.now() + deadlineMs;
    while (performance.now() < endMs) {
      if ((await this.ask(gate, key)) === status) return performance.now();
      await delay(everyMs);
    }
    return undefined;
  }

  async #run(gate: ClusterGate, index: number): Promise<void> {
    for (let turn = index; !this.#stop.signal.aborted; turn++) {
      const keys = this.#keys.get(gate.name) ?? [];
      const key = keys[turn % keys.length];
      if (key !== undefined && !this.#resting.has(gate.name)) await this.ask(gate, key);
      await delay(this.#options.paceMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
