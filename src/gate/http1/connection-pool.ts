/**
 * Connections to one plain-text upstream. Bounded by its owner, which never lets more requests in
 * than there may be connections. Idle connections are taken last in, first out, so that the
 * superfluous ones age and close.
 *
 * A connection whose answer has just ended rests until the event loop has looked at its socket
 * once more: bytes that a broken upstream sent behind the answer are then found before another
 * request could take them for its own (undici GHSA-35p6-xmwp-9g52). `setImmediate` alone does not
 * do that: what is set while sockets are read runs before they are read again.
 */
import { type Asker, Connection, type ConnectionOwner, type OutgoingRequest } from "./connection.ts";

export interface PoolOptions {
  readonly host: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  readonly connectTimeoutMs: number;
  /** Idle connections older than this are closed; must be below the upstream's own limit. */
  readonly idleMaxMs: number;
  readonly monotonic: () => number;
}

export class ConnectTimeout extends Error {
  readonly code = "UPSTREAM_CONNECT_TIMEOUT";
  constructor() {
    super("upstream did not accept a connection in time");
  }
}

/** A request on its way; what its sender can still do about it. */
export interface Leg {
  pause(): void;
  resume(): void;
  /** Gives it up; the asker hears nothing more. */
  abort(): void;
}

/** Subtracted from an upstream's `Keep-Alive: timeout`: it starts counting before we do. */
const HINT_MARGIN_MS = 1000;
const SWEEP_MS = 1000;

export class ConnectionPool implements ConnectionOwner {
  readonly #options: PoolOptions;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  /** Their answer ended since the last turn; their sockets were not looked at since. */
  #resting: Connection[] = [];
  /** One turn older. */
  #rested: Connection[] = [];
  /** Requests that wait for resting connections. */
  readonly #patient: (() => void)[] = [];
  #connecting = 0;
  #isClosed = false;
  readonly #sweep: NodeJS.Timeout;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#closeAged(), SWEEP_MS).unref();
  }

  get stats(): { connected: number; free: number; running: number; pending: number } {
    const free = this.#idle.length + this.#restingCount;
    return { connected: this.#all.size, free, running: this.#all.size - free, pending: this.#connecting };
  }

  get #restingCount(): number {
    return this.#resting.length + this.#rested.length;
  }

  /** @param isFresh on a new connection: the one before broke, and the idle ones may be as old */
  send(request: OutgoingRequest, asker: Asker, isFresh = false): Leg {
    if (isFresh) {
      this.#closeOne();
      return this.#connect(request, asker);
    }
    const connection = this.#takeIdle();
    if (connection !== undefined) {
      connection.send(request, asker);
      return connection;
    }
    // One that rests is free in a moment; opening another would exceed what may be open.
    return this.#restingCount > this.#patient.length
      ? this.#wait(request, asker)
      : this.#connect(request, asker);
  }

  /** Until the event loop has turned. */
  #wait(request: OutgoingRequest, asker: Asker): Leg {
    let isAborted = false;
    let leg: Leg | undefined;
    this.#patient.push(() => {
      if (!isAborted) leg = this.send(request, asker);
    });
    return {
      pause: () => leg?.pause(),
      resume: () => leg?.resume(),
      abort: () => {
        isAborted = true;
        leg?.abort();
      },
    };
  }

  /** Makes room for another: the one that has been idle for longest, or else one that rests. */
  #closeOne(): void {
    const rests = (): Connection | undefined =>
      [...this.#rested, ...this.#resting].find(({ isUsable }) => isUsable);
    // Those that rest keep their place until the turn: another turn would be set for the next one.
    (this.#idle.shift() ?? rests())?.socket.destroy();
  }

  #takeIdle(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isUsable && !this.#isAged(connection)) return connection;
      connection.socket.destroy();
    }
    return undefined;
  }

  #connect(request: OutgoingRequest, asker: Asker): Leg {
    const { host, port, socketPath } = this.#options;
    const connection = new Connection(
      socketPath === undefined
        ? { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
        : { path: socketPath },
      this,
    );
    const { socket } = connection;
    let isConnected = false;
    this.#connecting++;
    let isSettled = false;
    const settle = (): boolean => {
      if (isSettled) return false;
      isSettled = true;
      this.#connecting--;
      clearTimeout(timer);
      return true;
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      socket.destroy();
      asker.failed(error);
    };
    const timer = setTimeout(() => fail(new ConnectTimeout()), this.#options.connectTimeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      if (!settle()) return;
      isConnected = true;
      this.#all.add(connection);
      connection.send(request, asker);
    });
    return {
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      abort: () => {
        if (isConnected) connection.abort();
        else if (settle()) socket.destroy();
      },
    };
  }

  released(connection: Connection): void {
    if (this.#isClosed) {
      connection.socket.destroy();
      return;
    }
    this.#resting.push(connection);
    // With others the next turn is set already.
    if (this.#restingCount === 1) setImmediate(this.#turn);
  }

  #turn = (): void => {
    const rested = this.#rested;
    this.#rested = this.#resting;
    this.#resting = [];
    if (this.#restingCount > 0) setImmediate(this.#turn);
    if (rested.length > 0) this.#rest(rested, this.#options.monotonic());
    for (const proceed of this.#patient.splice(0)) proceed();
  };

  #rest(rested: readonly Connection[], nowMs: number): void {
    for (const connection of rested) {
      if (!connection.isUsable) continue;
      connection.idleSinceMs = nowMs;
      this.#idle.push(connection);
    }
  }

  lost(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #isAged(connection: Connection): boolean {
    const hint = connection.keepAliveHintSeconds;
    const { idleMaxMs, monotonic } = this.#options;
    const maxMs = hint === undefined ? idleMaxMs : Math.min(idleMaxMs, hint * 1000 - HINT_MARGIN_MS);
    return monotonic() - connection.idleSinceMs >= maxMs;
  }

  #closeAged(): void {
    for (const connection of this.#idle) if (this.#isAged(connection)) connection.socket.destroy();
  }

  /** Idle connections close now, busy ones when their answers end. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const connection of [...this.#idle, ...this.#resting, ...this.#rested]) connection.socket.destroy();
  }

  destroy(): void {
    this.close();
    for (const connection of this.#all) connection.socket.destroy();
  }
}
