/**
 * The primary's side of several workers: keeps their number, replaces those that die or leave, and
 * adds up their metrics. It handles no request itself.
 *
 * It keeps each worker's listening socket as well and gives it to the next one. A socket that closes
 * resets the connections that wait in its queue; one that is kept lets the next worker take them.
 */
import type { SendHandle } from "node:child_process";
import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";
import type { ListeningSocket } from "../gate/listener.ts";
import { type Family, mergeFamilies, retired } from "../observe/exposition.ts";
import type { Logger } from "../observe/logger.ts";
import { gateMetricKinds } from "../observe/metric-catalogue.ts";
import { PORT_VARIABLE, SLOT_VARIABLE, SOCKET_VARIABLE } from "./serve-worker.ts";
import type { ToPrimary, ToWorker } from "./worker-messages.ts";

/** A worker that dies at once is started again, but ever more slowly. */
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
/** A worker that lived this long did not die of its start. */
const SETTLED_MS = 10_000;
/** A worker that does not answer a scrape in this time is left out of it with its last numbers. */
const METRICS_WAIT_MS = 2000;

interface Member {
  readonly worker: Worker;
  readonly slot: number;
  readonly startedMs: number;
  isListening: boolean;
  /** Can tell keys apart. */
  isReady: boolean;
  isLeaving: boolean;
  families: readonly Family[];
  /** Undefined until it listens, and where workers have none of their own. */
  socket: ListeningSocket | undefined;
}

export class WorkerPool {
  readonly #size: number;
  readonly #port: number;
  readonly #log: Logger;
  readonly #members = new Map<number, Member>();
  readonly #answers = new Map<number, () => void>();
  /** Counts of workers that are gone. */
  #retired: Family[] = [];
  #asks = 0;
  #backoffMs = BACKOFF_MIN_MS;
  #isStopping = false;

  constructor(size: number, port: number, log: Logger) {
    this.#size = size;
    this.#port = port;
    this.#log = log;
    cluster.on("message", (worker, message: ToPrimary, socket) =>
      this.#hear(worker, message, socket as unknown as ListeningSocket | undefined),
    );
    cluster.on("exit", (worker, code, signal) => this.#lost(worker, code, signal));
  }

  get listening(): number {
    return [...this.#members.values()].filter((member) => member.isListening && !member.isLeaving).length;
  }

  /** Of those that listen, the ones that cannot tell keys apart yet. */
  get unready(): number {
    return [...this.#members.values()].filter((member) => member.isListening && !member.isReady).length;
  }

  /** Resolves when all workers listen; rejects when one ends before that. */
  async start(): Promise<void> {
    const workers = Array.from({ length: this.#size }, () => this.#fork());
    await Promise.all(workers.map((worker) => whenListening(worker)));
  }

  #fork(socket?: ListeningSocket): Worker {
    const slot = this.#freeSlot();
    const worker = cluster.fork({
      [PORT_VARIABLE]: String(this.#port),
      [SLOT_VARIABLE]: String(slot),
      [SOCKET_VARIABLE]: socket === undefined ? "" : "inherited",
    });
    if (socket !== undefined) send(worker, { kind: "socket" }, socket);
    this.#members.set(worker.id, {
      worker,
      slot,
      startedMs: performance.now(),
      isListening: false,
      isReady: false,
      isLeaving: false,
      families: [],
      socket,
    });
    return worker;
  }

  /** The lowest number that no living worker has; what files a dead one left are its successor's. */
  #freeSlot(): number {
    const taken = new Set(Array.from(this.#members.values(), (member) => member.slot));
    let slot = 1;
    while (taken.has(slot)) slot++;
    return slot;
  }

  #hear(worker: Worker, message: ToPrimary, socket: ListeningSocket | undefined): void {
    const member = this.#members.get(worker.id);
    if (member === undefined) return;
    switch (message.kind) {
      case "listening":
        member.isListening = true;
        this.#keep(member, socket);
        return;
      case "ready":
        member.isReady = true;
        return;
      case "metrics":
        member.families = message.families;
        this.#answers.get(message.ask)?.();
        return;
      case "leaving":
        void this.#succeed(member);
    }
  }

  #keep(member: Member, socket: ListeningSocket | undefined): void {
    // A worker that inherited its socket sends a second handle to the same one.
    if (this.#isStopping || member.socket !== undefined) socket?.close();
    else member.socket = socket;
  }

  /** A worker was asked to end by a signal: its successor listens before it closes its port. */
  async #succeed(member: Member): Promise<void> {
    if (this.#isStopping || member.isLeaving) return;
    member.isLeaving = true;
    const successor = this.#fork(member.socket);
    this.#log.info("worker leaves", { pid: member.worker.process.pid, successor: successor.process.pid });
    await whenListening(successor).catch(() => {});
    send(member.worker, { kind: "replaced" });
  }

  #lost(worker: Worker, code: number | null, signal: string | null): void {
    const member = this.#members.get(worker.id);
    if (member === undefined) return;
    this.#members.delete(worker.id);
    this.#retired = mergeFamilies(gateMetricKinds, [
      this.#retired,
      retired(gateMetricKinds, member.families),
    ]);
    if (this.#isStopping || member.isLeaving) return;
    this.#log.error("worker died", { pid: worker.process.pid, code: code ?? 0, signal: signal ?? "" });
    const hasSettled = performance.now() - member.startedMs > SETTLED_MS;
    this.#backoffMs = hasSettled ? BACKOFF_MIN_MS : Math.min(this.#backoffMs * 2, BACKOFF_MAX_MS);
    // One that never listened may never: then the system shall deal its connections to the others.
    if (!member.isListening) member.socket?.close();
    const socket = member.isListening ? member.socket : undefined;
    setTimeout(() => {
      if (!this.#isStopping) this.#fork(socket);
    }, this.#backoffMs);
  }

  reload(): void {
    this.#tellAll({ kind: "reload" });
  }

  /** All workers' numbers as one. */
  async families(): Promise<Family[]> {
    await Promise.race([
      Promise.all([...this.#members.values()].map((member) => this.#ask(member))),
      delay(METRICS_WAIT_MS, undefined, { ref: false }),
    ]);
    const current = [...this.#members.values()].map((member) => member.families);
    return mergeFamilies(gateMetricKinds, [this.#retired, ...current]);
  }

  async #ask(member: Member): Promise<void> {
    if (!member.isListening || !member.worker.isConnected()) return;
    const ask = ++this.#asks;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answers.set(ask, resolve);
    send(member.worker, { kind: "metrics", ask });
    await Promise.race([promise, delay(METRICS_WAIT_MS, undefined, { ref: false })]);
    this.#answers.delete(ask);
  }

  /** Each worker drains on its own; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const ends = [...this.#members.values()].map(
      ({ worker }) => new Promise<void>((resolve) => worker.once("exit", () => resolve())),
    );
    // With the last worker that closes it, a socket has to be gone: nobody would take its queue.
    for (const { socket } of this.#members.values()) socket?.close();
    this.#tellAll({ kind: "stop" });
    await Promise.all(ends);
  }

  /** Not waiting for anything any more. */
  kill(): void {
    this.#isStopping = true;
    for (const { worker } of this.#members.values()) worker.process.kill("SIGKILL");
  }

  #tellAll(message: ToWorker): void {
    for (const { worker } of this.#members.values()) send(worker, message);
  }
}

function send(worker: Worker, message: ToWorker, socket?: ListeningSocket): void {
  // A worker that dies meanwhile is no error of ours: its end is heard of elsewhere.
  if (worker.isConnected()) worker.send(message, socket as SendHandle | undefined, {}, () => {});
}

function whenListening(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on("message", (message: ToPrimary) => {
      if (message.kind === "listening") resolve();
    });
    worker.once("exit", () => reject(new Error("a worker ended before it was ready")));
  });
}
