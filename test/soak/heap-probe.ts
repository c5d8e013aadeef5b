/**
 * The heap of another Node process after a full garbage collection, by the inspector protocol: the
 * process has to run with `--inspect=127.0.0.1:0`, and says on standard error where.
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import { within } from "../support/wait-for.ts";

export interface HeapProbe {
  /** Collects garbage first. */
  usedMiB(): Promise<number>;
  close(): void;
}

export function inspectorUrlOf(stderr: string): string | undefined {
  return /^Debugger listening on (ws:\S+)$/m.exec(stderr)?.[1];
}

export async function connectHeapProbe(url: string): Promise<HeapProbe> {
  const socket = new WebSocket(url);
  await within("the inspector", once(socket, "open"));
  const waiting = new Map<number, (result: unknown) => void>();
  let asked = 0;
  socket.on("message", (data: Buffer) => {
    const { id, result } = JSON.parse(data.toString()) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  const call = async (method: string): Promise<unknown> => {
    const id = ++asked;
    const answered = new Promise<unknown>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method }));
    try {
      return await within(method, answered, 60_000);
    } finally {
      waiting.delete(id);
    }
  };
  return {
    async usedMiB() {
      await call("HeapProfiler.collectGarbage");
      const { usedSize } = (await call("Runtime.getHeapUsage")) as { usedSize: number };
      return usedSize / 1024 / 1024;
    },
    close: () => socket.close(),
  };
}
