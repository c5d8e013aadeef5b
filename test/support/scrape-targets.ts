/** What a Prometheus can scrape, from the operations server alone to the gate with several workers. */
import { startEchoUpstream } from "./echo-upstream.ts";
import { makeCountedKey, observe } from "./exchanges.ts";
import { makeKey, writeGateFiles } from "./fixtures.ts";
import { startGateProcess } from "./gate-process.ts";
import { startOpsScene } from "./ops-scene.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** The key whose requests are counted. */
export const KEY_ID = "key_x";

/** Something that serves `/metrics` and can be made to count requests of the key. */
export interface ScrapeTarget extends AsyncDisposable {
  /** Host and port. */
  readonly address: string;
  /** Has the key make so many requests that are answered with 200. */
  use(requests: number): Promise<void>;
}

/** The operations server alone, fed by the exchanges that a gate would report. */
async function operationsServer(): Promise<ScrapeTarget> {
  const scene = await startOpsScene();
  const key = makeCountedKey(scene.keyCounters, KEY_ID);
  return {
    address: `127.0.0.1:${scene.port}`,
    async use(requests) {
      for (let i = 0; i < requests; i++)
        observe(scene.metrics, { key, upstreamMs: 20, durationMs: 25, bytesOut: 100 });
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** The whole gate as a process, with real requests through it. */
async function gate(workers: number): Promise<ScrapeTarget> {
  const stack = new AsyncDisposableStack();
  try {
    const upstream = stack.use(await startEchoUpstream());
    const folder = stack.use(await makeTempFolder());
    const key = makeKey({ id: KEY_ID });
    const files = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: [key],
      config: { workers },
    });
    const process = stack.use(await startGateProcess(files.configFile));
    return {
      address: new URL(process.opsUrl).host,
      async use(requests) {
        for (let i = 0; i < requests; i++) {
          const response = await fetch(`${process.url}/v1/memories`, {
            headers: { "x-api-key": key.secret },
          });
          if (response.status !== 200) throw new Error(`the gate answered ${response.status}`);
          await response.arrayBuffer();
        }
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

export const scrapeTargets = [
  ["the operations server", operationsServer],
  ["the gate", () => gate(1)],
  ["the gate with two workers", () => gate(2)],
] as const;
