/** The form of a dialog that changes something: what is asked, what went wrong, and the two ways out. */
import type { ComponentChildren, JSX } from "preact";
import type { Failure } from "../api/failure.ts";
import { FailureNotice } from "../parts/notice.tsx";

interface AttemptFormProps {
  readonly isBusy: boolean;
  readonly failure: Failure | undefined;
  /** What the button says, and what it says while the call is under way. */
  readonly button: string;
  readonly busy: string;
  readonly onSubmit: () => Promise<void>;
  readonly onCancel: () => void;
  readonly children: ComponentChildren;
}

export function AttemptForm(props: AttemptFormProps): JSX.Element {
  const { isBusy, failure, button, busy, onSubmit, onCancel, children } = props;
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) void onSubmit();
      }}
    >
      {children}
      <FailureNotice failure={failure} />
      <div class="dialog-foot">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={isBusy}>
          {isBusy ? busy : button}
        </button>
      </div>
    </form>
  );
}
