/**
 * One request in flight: the client's body goes up, the upstream's answer comes down, each at the
 * speed of the slower side. Every way that either side can fall silent, stall or leave ends here,
 * within a bound, and a broken answer is never ended as if it were whole.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import { Denial } from "../errors/denial.ts";
import type { Admitted } from "./admit.ts";
import { answerHead, relayInterim } from "./answer-head.ts";
import { endWithChunk, isAllSent, writeChunk } from "./answer-body.ts";
import type { Exchange } from "./exchange.ts";
import { Movement, type Standing, heldUpMs, overdue } from "./deadlines.ts";
import { type Controller, reasonOf } from "./incoming.ts";
import type { Call } from "./own-answers.ts";
import { type RelayContext, outgoingHeaders } from "./relay-context.ts";
import { endAfterDrain } from "./reply.ts";
import { BodyFault, RequestBody, type BodyWatcher } from "./request-body.ts";
import type { Watched } from "./sweeper.ts";
import { mapUpstreamError, mayRetry } from "./upstream-error.ts";
import type { Visitor } from "./waiting-room.ts";

export class Relay implements Dispatcher.DispatchHandler, Watched, BodyWatcher, Visitor {
  readonly admitted: Admitted;
  readonly caller: string;
  sweepSlot: number | undefined = undefined;
  insideSlot: number | undefined = undefined;
  uploadSlot: number | undefined = undefined;
  streamSlot: number | undefined = undefined;
  readonly #call: Call;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #exchange: Exchange;
  readonly #context: RelayContext;
  #expectsContinue: boolean;
  #controller: Controller | undefined;
  #body: RequestBody | null = null;
  #headers: string[] = [];
  #attempts = 0;
  #interims = 0;
  /** Of the answer's body, where its length is declared; else negative. */
  #bodyLeft = -1;
  #startedMs = 0;
  #dispatchedMs = 0;
  readonly #movement = new Movement();
  #isStarting = true;
  /** Handed to the pool, which has not begun with it: nothing can take it back from there. */
  #isPending = false;
  #isHeadReceived = false;
  /** All of the answer is written; what is left is the client's to read. */
  #isAnswered = false;
  #isPaused = false;
  #isEventStream = false;
  #isUpstreamDone = false;
  #isDone = false;

  constructor(admitted: Admitted, call: Call, context: RelayContext, expectsContinue: boolean) {
    this.admitted = admitted;
    this.caller = admitted.key?.id ?? "";
    this.#call = call;
    this.#req = call.req;
    this.#res = call.res;
    this.#exchange = call.exchange;
    this.#context = context;
    this.#expectsContinue = expectsContinue;
  }

  start(): void {
    const { head, upstream, route } = this.admitted;
    this.#headers = outgoingHeaders(this.admitted, this.#req, this.#exchange, this.#context);
    if (head.hasBody) this.#body = new RequestBody(this.#req, route.bodyBytesMax, this);
    this.#startedMs = this.#dispatchedMs = this.#context.monotonic();
    this.#movement.begin(this.#startedMs);
    this.#context.sweeper.add(this);
    this.#res.on("close", this.#onClientClose);
    upstream.room.queue(this);
    this.#isStarting = false;
    // Read ahead, so that a short body does not count as one that is still coming. Whoever expects
    // 100 sends none before it gets that, and it gets that with its place.
    if (!this.#expectsContinue) this.#body?.read(0);
    if (this.#attempts === 0) upstream.room.relieve(this.#startedMs);
  }

  get isUploading(): boolean {
    return this.#body?.isComplete === false;
  }

  heldUpMs(nowMs: number): number {
    return heldUpMs(this.#standing(nowMs));
  }

  giveWay(): void {
    this.cut(new Denial("upstream_busy", { note: "gave way: held up by its client, or in a long line" }));
  }

  enter(): void {
    const { target, upstream } = this.admitted;
    this.#attempts++;
    this.#isPending = true;
    this.#controller = undefined;
    if (!this.#isStarting) this.#dispatchedMs = this.#context.monotonic();
    const options: Dispatcher.DispatchOptions = {
      path: target.path + target.query,
      method: this.#req.method as Dispatcher.HttpMethod,
      headers: this.#headers,
      body: this.#body,
    };
    upstream.dispatch(options, this, this.#attempts > 1);
  }

  onRequestStart(controller: Controller): void {
    this.#isPending = false;
    this.#controller = controller;
    if (!this.#isDone) return;
    this.admitted.upstream.room.leave(this);
    // Thrown, not aborted: abort() would destroy the connection, on which nothing was sent.
    throw new BodyFault("client_gone");
  }

  onResponseStart(controller: Controller, status: number, _headers: unknown, statusText?: string): void {
    this.#movement.note();
    if (status < 200) {
      if (this.#isDone) return;
      relayInterim(controller, status, ++this.#interims, this.#call, this.#context.identityNames);
      return;
    }
    if (status > 599) throw Object.assign(new Error("status out of range"), { code: "UND_ERR_RES_STATUS" });
    this.#isHeadReceived = true;
    this.#exchange.upstreamMs = this.#context.monotonic() - this.#dispatchedMs;
    if (this.#isDone) return;
    const isWhole = this.#isRequestWhole();
    const head = answerHead(controller, status, this.admitted, this.#call, this.#context, isWhole);
    this.#isEventStream = head.isEventStream;
    this.#bodyLeft = head.contentLength;
    this.#exchange.status = status;
    this.#res.writeHead(status, reasonOf(statusText), head.headers);
    // Not flushHeaders(): that sends the fields as UTF-8, which changes bytes beyond ASCII.
    if (this.#isEventStream) this.#res.write("", "latin1");
    if (this.#isEventStream && isWhole) this.admitted.upstream.room.becameStream(this);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#movement.note();
    if (this.#isDone) return;
    this.#exchange.bytesOut += chunk.length;
    this.#bodyLeft -= chunk.length;
    if (this.#bodyLeft === 0 && this.#isRequestWhole()) {
      this.#isAnswered = true;
      controller.isChunkRead = endWithChunk(this.#res, chunk);
      return;
    }
    controller.isChunkRead = writeChunk(this.#res, chunk);
    if (this.#res.writableNeedDrain && !isAllSent(this.#res)) {
      this.#isPaused = true;
      controller.pause();
      this.#res.once("drain", this.#onDrain);
    }
  }

  #onDrain = (): void => {
    this.#isPaused = false;
    this.#movement.note();
    this.#controller?.resume();
  };

  onResponseEnd(): void {
    if (this.#isDone) return;
    this.#isUpstreamDone = true;
    this.admitted.upstream.ended(this);
    if (!this.#isAnswered) {
      if (this.#isRequestWhole()) this.#res.end();
      else endAfterDrain(this.#req, this.#res);
    }
    this.#isAnswered = this.#isPaused = true;
    // A client that does not take the rest is watched on, or it could hold its connection for ever.
    if (this.#res.writableLength === 0) this.#release();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#isPending = false;
    if (this.#isDone) {
      this.admitted.upstream.room.leave(this);
      return;
    }
    if (error instanceof BodyFault && error.kind === "client_gone") {
      this.#onClientClose();
      return;
    }
    const fault = mapUpstreamError(error);
    const isSafe = this.#body === null && mayRetry(this.#req.method ?? "", fault);
    // Once, and only where the upstream cannot have acted: its connection broke unanswered.
    if (isSafe && this.#attempts === 1 && !this.#isHeadReceived) {
      this.enter();
      return;
    }
    this.#exchange.upstreamError = fault.kind;
    this.#fail(new Denial(fault.code, { note: fault.note }));
  }

  // --- the client's side

  received(bytes: number): void {
    this.#exchange.bytesIn += bytes;
    this.#movement.note();
  }

  completed(): void {
    this.admitted.upstream.room.becameWhole(this);
    if (this.#isEventStream) this.admitted.upstream.room.becameStream(this);
  }

  broken(error: Error): void {
    // Later whoever sends the body says so.
    if (this.#attempts === 0) this.onResponseError(undefined, error);
  }

  wanted(): void {
    if (this.#expectsContinue) this.#res.writeContinue();
    this.#expectsContinue = false;
  }

  #onClientClose = (): void => {
    if (this.#isDone) return;
    if (this.#isAnswered) {
      this.#release();
      return;
    }
    this.#exchange.aborted = true;
    if (this.#exchange.status === 0) this.#exchange.status = 499;
    this.#stop(new BodyFault("client_gone"));
  };

  // --- deadlines

  check(nowMs: number): void {
    if (this.#attempts === 0) this.admitted.upstream.room.relieve(nowMs);
    const denial = overdue(this.#standing(nowMs), this.#context.timeouts, this.admitted.upstream);
    if (denial === undefined) return;
    if (denial.code === "upstream_timeout") this.#exchange.upstreamError ??= "timeout";
    this.#fail(denial);
  }

  #standing(nowMs: number): Standing {
    return {
      totalMs: nowMs - this.#startedMs,
      silentMs: this.#movement.silentMs(nowMs),
      isClientBlocked: this.#isPaused,
      isAwaitingBody: this.#body?.isAwaited === true,
      awaitedMs: this.#body?.awaitedMs(nowMs) ?? 0,
      bytesIn: this.#exchange.bytesIn,
      hasResponseHead: this.#isHeadReceived,
      isEventStream: this.#isEventStream,
    };
  }

  isFor(res: ServerResponse): boolean {
    return this.#res === res;
  }

  /** Of the answer under way: has it a foreseeable end? */
  get answering(): "endless" | "finite" | undefined {
    if (!this.#isHeadReceived || this.#isAnswered) return undefined;
    return this.#isEventStream ? "endless" : "finite";
  }

  /** Ends the exchange from our side, for example because its key was revoked. */
  cut(denial: Denial): void {
    if (!this.#isDone) this.#fail(denial);
  }

  // --- endings

  #fail(denial: Denial): void {
    this.#stop(new BodyFault("client_gone"));
    if (this.#res.headersSent) {
      // Never a clean end: the client must see that the answer is not whole.
      this.#exchange.aborted = true;
      this.#exchange.note = denial.note ?? denial.code;
      this.#res.destroy();
      return;
    }
    this.#context.deny(this.#call, denial);
  }

  #stop(reason: Error): void {
    this.#release();
    this.#body?.destroy(reason);
    this.#controller?.abort(reason);
  }

  #release(): void {
    this.#isDone = true;
    if (!this.#isPending && !this.#isUpstreamDone) this.admitted.upstream.room.leave(this);
    this.#context.sweeper.delete(this);
  }

  #isRequestWhole(): boolean {
    return this.#body === null || this.#body.isComplete || this.#req.complete;
  }
}
