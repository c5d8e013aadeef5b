/**
 * The gate as one object: an HTTP server in front, the current state behind it, and what must
 * outlive both. Composition roots make one, give it states, and close it.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Denial } from "../errors/denial.ts";
import { type ParserError, refuseBroken } from "./broken.ts";
import { ClientConnection } from "./client-connection.ts";
import { drain } from "./drain.ts";
import { type Decision, Preflight, decide } from "./decide.ts";
import { Exchange } from "./exchange.ts";
import { forward } from "./forward.ts";
import type { GateOptions } from "./gate-options.ts";
import type { GateState } from "./gate-state.ts";
import { Handlers } from "./handlers.ts";
import type { RequestLine } from "./head.ts";
import { type ListenAt, type Listening, createListener, openListener } from "./listener.ts";
import { OverloadGuard } from "./overload.ts";
import { OpenStreams, openTunnels } from "./open-streams.ts";
import { type Call, answerPreflight, denyCall, denySocket } from "./own-answers.ts";
import type { RelayContext } from "./relay-context.ts";
import { requestIds } from "./request-id.ts";
import { requestLineOf } from "./request-line.ts";
import { Sweeper } from "./sweeper.ts";
import { Upgrade, type UpgradeContext } from "./upgrade.ts";

/** One state and the contexts that relays made under it share. */
interface Serving {
  readonly state: GateState;
  readonly relay: RelayContext;
  readonly upgrade: UpgradeContext;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #server: Server;
  readonly #sweeper: Sweeper;
  readonly #streams: OpenStreams;
  readonly #overload: OverloadGuard;
  readonly #handlers: Handlers;
  readonly #nextId: () => string;
  #serving: Serving;
  #inFlight = 0;
  #isDraining = false;
  #haveKeysChanged = false;

  constructor(options: GateOptions, state: GateState) {
    this.#options = options;
    this.#nextId = requestIds(options.idStart);
    this.#sweeper = new Sweeper(options.clock);
    this.#streams = new OpenStreams(this.#sweeper);
    this.#overload = new OverloadGuard(options.eventLoopDelayMaxMs, () => options.clock.monotonic());
    this.#handlers = new Handlers(
      () => this.#isDraining,
      (state, call, denial) => this.#deny(state, call, denial),
    );
    this.#sweeper.add({ check: () => this.#endInvalidStreams() });
    this.#serving = this.#serve(state);
    this.#server = createListener(options.bounds, {
      request: (req, res, expectsContinue) => this.#receive(req, res, expectsContinue),
      upgrade: (req, socket, early) => this.#receiveUpgrade(req, socket, early),
      broken: (error, socket) => this.#refuseBroken(error, socket),
    });
  }

  /** Requests that begin from now on are decided by this state. */
  setState(state: GateState): void {
    const previous = this.#serving.state;
    if (previous.keys !== state.keys) {
      state.keys.takeOver(previous.keys, state.recompile);
      previous.keys.close();
    }
    this.#serving = this.#serve(state);
    this.#haveKeysChanged = true;
  }

  #serve(state: GateState): Serving {
    const options = this.#options;
    const shared = {
      outgoing: { table: state.headers, via: state.via, trustedProxies: state.trustedProxies, isTls: false },
      identityNames: state.identityNames,
      vary: state.vary,
      timeouts: options.timeouts,
      sweeper: this.#sweeper,
      monotonic: () => options.clock.monotonic(),
      isDraining: () => this.#isDraining,
    };
    return {
      state,
      relay: { ...shared, deny: (call, denial) => this.#deny(state, call, denial) },
      upgrade: {
        ...shared,
        now: () => options.clock.now(),
        websocketIdleMs: options.websocketIdleMs,
        denyRaw: (socket, exchange, denial) => {
          denySocket(state, socket, exchange, denial);
          this.#finish(exchange);
        },
        finished: (exchange) => this.#finish(exchange),
      },
    };
  }

  /** Keys may have been revoked: open streams are asked again on the next sweep. */
  keysChanged(): void {
    this.#haveKeysChanged = true;
  }

  /** What new requests are decided by. */
  get state(): GateState {
    return this.#serving.state;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get tunnels(): number {
    return openTunnels(this.#sweeper).length;
  }

  /** @returns where it listens; port 0 asks the system for a free one */
  async listen(at: ListenAt): Promise<Listening> {
    const listening = await openListener(this.#server, at);
    // Out of descriptors, say: that connection is lost, the process must not be.
    this.#server.on("error", (error) => this.#options.onBug(error));
    this.#sweeper.start();
    this.#overload.start();
    return listening;
  }

  /**
   * Stops accepting, lets requests in flight finish, then ends what is left.
   * @param graceMs how long they have
   */
  async close(graceMs: number): Promise<void> {
    this.#isDraining = true;
    for (const tunnel of openTunnels(this.#sweeper)) tunnel.close(1001, "the gate is stopping");
    await drain(
      this.#server,
      graceMs,
      () => this.#inFlight,
      () => this.#options.clock.monotonic(),
    );
    this.#overload.stop();
    this.#sweeper.stop();
  }

  #isFull({ startedMs }: Exchange): boolean {
    return this.#overload.isOverloaded(startedMs) || this.#inFlight > this.#options.inFlightMax;
  }

  #endInvalidStreams(): void {
    const haveKeysChanged = this.#haveKeysChanged;
    this.#haveKeysChanged = false;
    this.#streams.endInvalid(this.#serving.state, haveKeysChanged);
  }

  // --- requests

  #begin(method: string, remoteAddress: string): Exchange {
    const exchange = new Exchange(this.#nextId(), method, remoteAddress, this.#options.clock.monotonic());
    this.#inFlight++;
    this.#options.observer.started(exchange);
    return exchange;
  }

  #finish(exchange: Exchange): void {
    this.#inFlight--;
    exchange.durationMs = this.#options.clock.monotonic() - exchange.startedMs;
    this.#options.observer.finished(exchange);
  }

  #receive(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const line = requestLineOf(req);
    ClientConnection.of(req.socket).take(res, () => this.#handle({ req, res }, line, expectsContinue));
  }

  /** From here on the exchange counts; its end is the response's. */
  #open({ req, res }: Omit<Call, "exchange">): Call {
    const exchange = this.#begin(req.method ?? "", req.socket.remoteAddress ?? "");
    // It comes once; `once` would make a wrapper and take it out of the list again.
    res.on("close", () => {
      if (!res.writableFinished) exchange.aborted = true;
      if (exchange.status === 0) exchange.status = CLIENT_GONE;
      this.#finish(exchange);
    });
    return { req, res, exchange };
  }

  #handle(pair: Omit<Call, "exchange">, line: RequestLine, expectsContinue: boolean): void {
    const serving = this.#serving;
    const call = this.#open(pair);
    try {
      if (this.#isFull(call.exchange)) {
        this.#deny(serving.state, call, new Denial("overloaded"));
        return;
      }
      const decision = decide(serving.state, line, call.exchange);
      if (decision instanceof Promise) {
        decision
          .then((late) => this.#act(serving, late, call, expectsContinue))
          .catch((error: unknown) => this.#fault(serving.state, call, error));
      } else {
        this.#act(serving, decision, call, expectsContinue);
      }
    } catch (error) {
      this.#fault(serving.state, call, error);
    }
  }

  #act(serving: Serving, decision: Decision, call: Call, expectsContinue: boolean): void {
    const { state } = serving;
    if (call.res.destroyed) return;
    if (decision instanceof Denial) {
      this.#deny(state, call, decision);
      return;
    }
    if (decision instanceof Preflight) {
      answerPreflight(state, call, decision.head.origin);
      return;
    }
    if (decision.route.handler !== undefined && decision.key !== undefined) {
      this.#handlers
        .answer(state, decision, call, decision.key, expectsContinue)
        ?.catch((error: unknown) => this.#fault(state, call, error));
      return;
    }
    const refused = forward(decision, call, serving.relay, expectsContinue);
    if (refused !== undefined) this.#deny(state, call, refused);
  }

  #deny(state: GateState, call: Call, denial: Denial): void {
    denyCall(state, call, denial, this.#isDraining);
  }

  /** A bug in the gate: the client gets 500 and nothing more reaches the upstream. */
  #fault(state: GateState, call: Call, error: unknown): void {
    this.#options.onBug(error);
    if (call.res.headersSent) call.res.destroy();
    else this.#deny(state, call, new Denial("internal_error"));
  }

  #receiveUpgrade(req: IncomingMessage, socket: Duplex, early: Buffer): void {
    socket.on("error", () => socket.destroy());
    const line = requestLineOf(req);
    const connection = ClientConnection.of(socket);
    // Behind answers that are still owed, a 101 would be read as one of them.
    const isPipelined = connection.owesAnswer;
    connection.takeLast(() => {
      if (!isPipelined) this.#handleUpgrade(req, line, socket, early);
      else this.#refuseRaw(socket, req.method, new Denial("upgrade_invalid", { note: "pipelined" }));
    });
  }

  #handleUpgrade(req: IncomingMessage, line: RequestLine, socket: Duplex, early: Buffer): void {
    const { state, upgrade } = this.#serving;
    const exchange = this.#begin(req.method ?? "", req.socket.remoteAddress ?? "");
    const act = (decision: Decision): void => {
      if (decision instanceof Denial) upgrade.denyRaw(socket, exchange, decision);
      else if (decision instanceof Preflight || decision.route.handler !== undefined) {
        upgrade.denyRaw(socket, exchange, new Denial("upgrade_invalid"));
      } else new Upgrade(decision, req, socket, early, exchange, upgrade).start();
    };
    const fault = (error: unknown): void => {
      this.#options.onBug(error);
      upgrade.denyRaw(socket, exchange, new Denial("internal_error"));
    };
    try {
      if (this.#isFull(exchange)) {
        act(new Denial("overloaded"));
        return;
      }
      const decision = decide(state, line, exchange);
      if (decision instanceof Promise) decision.then(act).catch(fault);
      else act(decision);
    } catch (error) {
      fault(error);
    }
  }

  /** What never became a request. */
  #refuseBroken(error: ParserError, socket: Duplex): void {
    refuseBroken({ error, socket }, this.#sweeper, (...refusal) => this.#refuseRaw(socket, ...refusal));
  }

  #refuseRaw(socket: Duplex, method: string | undefined, denial: Denial): void {
    const address = "remoteAddress" in socket ? String(socket.remoteAddress) : "";
    this.#serving.upgrade.denyRaw(socket, this.#begin(method ?? "", address), denial);
  }
}

/** The status in logs and metrics when the client left before it got one; nginx made it known. */
const CLIENT_GONE = 499;
