/**
 * The client's end of one exchange: a bare connection, a strict reader, and waits that all end at
 * the same bound. Made for thousands at once, so it waits by events, never by polling.
 */
import { connect, type Socket } from "node:net";
import { type HttpMessage, HttpReader } from "../support/http-message.ts";

/** How it stands: `left` is our own doing, `hung` is what must never happen. */
export type TalkState = "open" | "ended" | "reset" | "left" | "hung" | "unconnected";

export class Talk {
  readonly #socket: Socket;
  readonly #reader: HttpReader;
  readonly #methods: string[];
  readonly #bound: NodeJS.Timeout;
  #wake: (() => void) | undefined;
  #hasBytes = false;
  state: TalkState = "open";

  /** @param boundMs the latest end of the whole exchange */
  constructor(port: number, method: string, boundMs: number) {
    this.#methods = [method];
    this.#reader = new HttpReader({ kind: "response", methodOf: () => this.#methods.shift() ?? "GET" });
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let isConnected = false;
    this.#socket.on("connect", () => (isConnected = true));
    this.#socket.on("data", (bytes: Buffer) => {
      this.#hasBytes = true;
      this.#reader.push(bytes);
      this.#stir();
    });
    this.#socket.on("end", () => {
      this.#reader.end();
      this.#settle("ended");
    });
    this.#socket.on("error", () => this.#settle(isConnected ? "reset" : "unconnected"));
    this.#socket.on("close", () => this.#settle("reset"));
    this.#bound = setTimeout(() => this.#settle("hung"), boundMs);
  }

  #settle(state: TalkState): void {
    if (this.state === "open") this.state = state;
    this.#stir();
  }

  #stir(): void {
    this.#wake?.();
  }

  get isOver(): boolean {
    return this.state !== "open";
  }

  /** Final answers, whole or not. */
  get answers(): readonly HttpMessage[] {
    return this.#reader.messages.filter(({ status }) => status >= 200);
  }

  /** Final answers that are whole. */
  get finals(): number {
    return this.answers.filter(({ isComplete }) => isComplete).length;
  }

  get isTunnel(): boolean {
    return this.#reader.messages.at(-1)?.status === 101;
  }

  get tunnel(): string {
    return this.#reader.tunnel;
  }

  get problem(): string | undefined {
    return this.#reader.problem;
  }

  send(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, "latin1");
  }

  /** One more answer will come, to a request with this method. */
  expect(method: string): void {
    this.#methods.push(method);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  halfClose(): void {
    this.#socket.end();
  }

  /** @param isRude with a TCP reset instead of an orderly end */
  async leave(isRude: boolean): Promise<void> {
    if (this.isOver) return;
    // A connection that is not there yet cannot be reset.
    if (this.#socket.connecting)
      await new Promise<void>((resolve) => this.#socket.once("connect", resolve).once("close", resolve));
    if (this.isOver) return;
    this.state = "left";
    if (isRude) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Resolves with so many whole final answers, a tunnel, or the end. */
  async answered(count: number, { countsInterim = false } = {}): Promise<void> {
    await this.#until(() => {
      const seen = countsInterim
        ? this.#reader.messages.filter(({ isComplete }) => isComplete).length
        : this.finals;
      return seen >= count || this.isTunnel || this.problem !== undefined;
    });
  }

  async tunnelled(bytes: number): Promise<void> {
    await this.#until(() => this.tunnel.length >= bytes);
  }

  async firstByte(): Promise<void> {
    await this.#until(() => this.#hasBytes);
  }

  async closed(): Promise<void> {
    await this.#until(() => false);
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!this.isOver && !isSo()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Gives everything back. */
  dispose(): void {
    clearTimeout(this.#bound);
    this.#socket.destroy();
  }
}
