/**
 * Data of a page: loaded, loaded again, and kept on the screen while the next is on its way. What
 * cannot be reached is tried again by itself, and what was refused for want of a session waits for
 * the next one.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure } from "../api/failure.ts";
import type { Asked } from "../api/http.ts";
import { retries } from "./connection.ts";
import { useObservable } from "./observable.ts";
import { sessionEnded, sessionState } from "./session.ts";

export interface Loaded<T> {
  /** The latest that arrived, also while a newer one is on its way. */
  readonly data: T | undefined;
  readonly failure: Failure | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

export interface LoadOptions {
  /** Ask again by itself, as long as somebody can see it. */
  readonly everyMs?: number;
}

const RETRY_MS = 3000;

interface Held<T> {
  readonly data: T | undefined;
  readonly failure: Failure | undefined;
  readonly isLoading: boolean;
}

/**
 * @param what names what is loaded: another name loads anew
 */
export function useLoaded<T>(
  what: string,
  load: (asked: Pick<Asked, "signal" | "isPoll">) => Promise<T>,
  { everyMs }: LoadOptions = {},
): Loaded<T> {
  const [held, setHeld] = useState<Held<T>>({ data: undefined, failure: undefined, isLoading: true });
  const [round, setRound] = useState(0);
  const state = useObservable(sessionState);
  const retry = useObservable(retries);
  const latest = useRef(load);
  latest.current = load;
  const sessionKind = state.kind;

  useEffect(() => {
    if (sessionKind !== "open") return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (isPoll: boolean): Promise<void> => {
      if (isPoll && document.hidden) {
        timer = setTimeout(() => void run(true), everyMs ?? RETRY_MS);
        return;
      }
      try {
        const data = await latest.current({ signal: abort.signal, isPoll });
        setHeld({ data, failure: undefined, isLoading: false });
        again();
      } catch (failure) {
        if (abort.signal.aborted) return;
        if (!(failure instanceof Failure)) throw failure;
        if (failure.kind === "signed_out") {
          sessionEnded();
          return;
        }
        setHeld((before) => ({ ...before, failure, isLoading: false }));
        if (failure.kind === "unreachable") timer = setTimeout(() => void run(true), RETRY_MS);
      }
    };
    const again = (): void => {
      if (everyMs !== undefined) timer = setTimeout(() => void run(true), everyMs);
    };
    setHeld((before) => ({ ...before, isLoading: true }));
    void run(false);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [what, round, sessionKind, retry, everyMs]);

  return { ...held, reload: () => setRound((before) => before + 1) };
}
