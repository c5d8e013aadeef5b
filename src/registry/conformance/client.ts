/** The HTTP side of the conformance checks: bounded, never following a redirect with the token. */
import type { Clock } from "../../base/clock.ts";

export interface ProtocolClientOptions {
  /** Base of the protocol's paths: `https://registry.example`, say. */
  readonly url: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface Asking {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** In place of the token; null sends none. */
  readonly token?: string | null;
  /** The whole answer has to be there by then. */
  readonly timeoutMs?: number;
}

const TEXT_BYTES_MAX = 16 * 1024 * 1024;

export class ProtocolClient {
  readonly #options: ProtocolClientOptions;

  constructor(options: ProtocolClientOptions) {
    this.#options = options;
  }

  get nowMs(): number {
    return this.#options.clock.now();
  }

  /** @param path below the base, `keys?since=…` */
  async ask(path: string, asking: Asking = {}): Promise<Response> {
    const { method = "GET", headers = {}, json, timeoutMs = this.#options.timeoutMs } = asking;
    const token = asking.token === undefined ? this.#options.token : (asking.token ?? undefined);
    return await fetch(`${this.#options.url.replace(/\/$/, "")}/${path}`, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "accept-encoding": "identity",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
  }
}

export async function* chunksOf(response: Response): AsyncGenerator<Buffer> {
  for await (const chunk of response.body ?? []) yield Buffer.from(chunk as Uint8Array);
}

/** @throws when it is longer than any sane answer */
export async function textOf(response: Response): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(response)) {
    bytes += chunk.length;
    if (bytes > TEXT_BYTES_MAX) throw new Error(`the answer is longer than ${TEXT_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Undefined when the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
