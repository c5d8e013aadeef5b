/** How a serving command lives and ends: by signals. Knows nothing of what is served. */
import { EXIT_FAILURE, EXIT_OK } from "./command.ts";

/** What signals act on: a gate, the primary of several, a registry. */
export interface Served {
  reload(reason: string): unknown;
  close(): Promise<void>;
  /** Ends the processes that serve, at once. */
  kill?(): void;
}

/** A SIGHUP that comes while a command starts must not end the process, as it would by itself. */
export class EarlyHangUps {
  #isDue = false;
  readonly #note = (): void => void (this.#isDue = true);

  constructor() {
    process.on("SIGHUP", this.#note);
  }

  /** @returns whether one came, so that something may have been read before it changed */
  end(): boolean {
    process.off("SIGHUP", this.#note);
    return this.#isDue;
  }
}

/** SIGHUP reloads; SIGTERM and SIGINT end gracefully, a second one at once. The promise is of the exit code. */
export async function untilStopped(served: Served, early: EarlyHangUps): Promise<number> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  let isReloadDue = false;
  // Those that came during one reload are one more, and requests get their turn in between.
  const onHangUp = (): void => {
    if (isReloadDue) return;
    isReloadDue = true;
    setImmediate(() => {
      isReloadDue = false;
      served.reload("SIGHUP");
    });
  };
  let isStopping = false;
  const onTerminate = (): void => {
    if (isStopping) {
      served.kill?.();
      // Whatever is still open would keep the process alive until its grace is over.
      process.exit(EXIT_FAILURE);
    }
    isStopping = true;
    served.close().then(
      () => stop(EXIT_OK),
      () => stop(EXIT_FAILURE),
    );
  };
  process.on("SIGHUP", onHangUp).on("SIGTERM", onTerminate).on("SIGINT", onTerminate);
  if (early.end()) onHangUp();
  const code = await stopped;
  process.off("SIGHUP", onHangUp).off("SIGTERM", onTerminate).off("SIGINT", onTerminate);
  return code;
}
