/** One of several processes that share the gate's port. Its metrics and its end go through the primary. */
import type { SendHandle } from "node:child_process";
import { renderFault } from "../document/fault.ts";
import type { ListeningSocket } from "../gate/listener.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK } from "./command.ts";
import { type RunningGate, startGate } from "./running-gate.ts";
import type { ToPrimary, ToWorker } from "./worker-messages.ts";

/** The port that all workers share; the config may leave the choice to the system. */
export const PORT_VARIABLE = "KEYWARD_WORKER_PORT";
/** Number of the worker among those that live; names its files and its reports. */
export const SLOT_VARIABLE = "KEYWARD_WORKER_SLOT";
/** Not empty: the listening socket comes as the first message. */
export const SOCKET_VARIABLE = "KEYWARD_WORKER_SOCKET";

/** How long a worker that was told to end waits for its successor before it closes its port. */
const SUCCESSOR_WAIT_MS = 5000;

/** What the primary says, or that it is there no more. */
type Heard = ToWorker | { readonly kind: "orphaned" };

export async function serveAsWorker(configFile: string, io: CommandIo): Promise<number> {
  // Listened to from the start: a word that comes while the gate is being made must not be missed, or
  // a worker whose primary died meanwhile would serve on for ever.
  const early: Heard[] = [];
  let hear = (heard: Heard): void => void early.push(heard);
  process.on("message", (message: ToWorker) => hear(message));
  watchForOrphan(() => hear({ kind: "orphaned" }));
  // systemd and terminals send it to the whole group, at any time; the primary says what it means.
  process.on("SIGHUP", () => {});
  const gate = await start(configFile, io);
  if (typeof gate === "number") return gate;
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  const end = (): void => void leave(gate).then(stop);
  process.on("SIGTERM", () => {
    tell({ kind: "leaving" });
    setTimeout(end, SUCCESSOR_WAIT_MS).unref();
  });
  // The terminal sends this to the whole group, too.
  process.on("SIGINT", () => {});
  tell({ kind: "listening", url: gate.proxyUrl }, gate.listeningSocket);
  void gate.ready.then(() => tell({ kind: "ready" }));
  hear = (heard) => obey(heard, gate, end);
  for (const heard of early) hear(heard);
  const code = await stopped;
  // The channel to the primary would keep the process alive.
  if (process.connected) process.disconnect?.();
  return code;
}

/**
 * node:cluster ends a worker at once when it hears that its primary is gone. Where that died in the
 * middle of a message, Node waits for the rest of it and never says so.
 */
function watchForOrphan(onOrphaned: () => void): void {
  const watch = setInterval(() => {
    if (process.connected) return;
    clearInterval(watch);
    onOrphaned();
  }, 1000).unref();
}

/** A number is an exit code: the primary waits until a worker listens or ends. */
async function start(configFile: string, io: CommandIo): Promise<RunningGate | number> {
  const worker = {
    port: Number(io.env[PORT_VARIABLE]),
    slot: Number(io.env[SLOT_VARIABLE] ?? 1),
    socket: (io.env[SOCKET_VARIABLE] ?? "") === "" ? undefined : await inheritedSocket(),
  };
  try {
    const started = await startGate({ configFile, env: io.env, worker });
    if (started.ok) return started.gate;
    for (const fault of started.faults) io.stderr.write(`${renderFault(fault)}\n`);
  } catch (error) {
    io.stderr.write(`keyward: cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  return EXIT_FAILURE;
}

function inheritedSocket(): Promise<ListeningSocket> {
  return new Promise((resolve) =>
    process.once("message", (_message: ToWorker, socket) => resolve(socket as unknown as ListeningSocket)),
  );
}

/** Resolves with the exit code. */
async function leave(gate: RunningGate): Promise<number> {
  try {
    await gate.close();
    // What was counted since the last scrape must not be lost.
    tell({ kind: "metrics", ask: 0, families: gate.metricFamilies() });
    return EXIT_OK;
  } catch {
    return EXIT_FAILURE;
  }
}

function obey(message: Heard, gate: RunningGate, end: () => void): void {
  switch (message.kind) {
    case "metrics":
      tell({ kind: "metrics", ask: message.ask, families: gate.metricFamilies() });
      return;
    case "reload":
      gate.reload("SIGHUP");
      return;
    case "stop":
    case "replaced":
    case "orphaned":
      end();
      return;
    case "socket":
    // Only ever the first message, read before the gate was started.
  }
}

function tell(message: ToPrimary, socket?: ListeningSocket): void {
  // A primary that is gone hears nothing; that it is gone is told elsewhere.
  if (process.connected) process.send?.(message, socket as SendHandle | undefined, {}, () => {});
}
