/** A few clients that send one request after the other until they are told to stop. */
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

const CLIENTS = 4;

export function startLightLoad(url: string, asked: Asked): LightLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const failures: string[] = [];
  let requests = 0;
  let longestMs = 0;
  const stopping = new AbortController();
  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedMs = performance.now();
      try {
        const { status, text } = await ask(url, { ...asked, agent });
        if (status !== 200) failures.push(`${status} ${text}`);
      } catch (error) {
        failures.push(String(error));
      }
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      requests++;
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
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
