/**
 * A few clients that send one request after the other until they are told to stop: some on
 * connections that they keep, some on a new one each time.
 */
import { Agent } from "node:http";
import { type Asked, ask } from "./http-client.ts";

export interface LoadResult {
  readonly requests: number;
  /** What was not a 200, in words. */
  readonly failures: readonly string[];
  /** Of the slowest request. */
  readonly longestMs: number;
}

export interface LightLoad extends AsyncDisposable {
  readonly requests: number;
  stop(): Promise<LoadResult>;
}

export interface LoadShape {
  /** Clients that keep their connection. */
  readonly kept?: number;
  /** Clients that make a new one for each request. */
  readonly fresh?: number;
}

export function startLightLoad(
  url: string,
  asked: Asked,
  { kept = 4, fresh = 0 }: LoadShape = {},
): LightLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: Math.max(1, kept) });
  const failures: string[] = [];
  let requests = 0;
  let longestMs = 0;
  const stopping = new AbortController();
  const client = async (connection: Pick<Asked, "agent">): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedMs = performance.now();
      try {
        const { status, text } = await ask(url, { ...asked, ...connection });
        if (status !== 200) failures.push(`${status} ${text}`);
      } catch (error) {
        failures.push(String(error));
      }
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      requests++;
    }
  };
  const clients = [
    ...Array.from({ length: kept }, () => client({ agent })),
    ...Array.from({ length: fresh }, () => client({})),
  ];
  const stop = async (): Promise<LoadResult> => {
    stopping.abort();
    await Promise.all(clients);
    agent.destroy();
    return { requests, failures, longestMs };
  };
  return {
    get requests() {
      return requests;
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}
