/** One call that changes something, from a dialog: under way or not, and how it failed. */
import { useState } from "preact/hooks";
import { Failure } from "../api/failure.ts";
import { sessionEnded } from "../state/session.ts";

interface Attempt {
  readonly isBusy: boolean;
  readonly failure: Failure | undefined;
  /** Answers undefined when it failed; then `failure` says how. */
  readonly run: <T>(act: () => Promise<T>) => Promise<T | undefined>;
}

export function useAttempt(): Attempt {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | undefined>(undefined);
  const run = async <T>(act: () => Promise<T>): Promise<T | undefined> => {
    setBusy(true);
    setFailure(undefined);
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Signing in comes over the dialog; afterwards everything is as it was, ready for another try.
      if (error.kind === "signed_out") sessionEnded();
      else setFailure(error);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, failure, run };
}
