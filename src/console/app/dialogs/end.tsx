/**
 * Ending a key: revoking it, finishing a rotation or taking one back. What cannot be undone asks
 * first, and asks harder when somebody still uses the key; then it shows the gates as they follow.
 */
import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { endKey, type Ending, listGates } from "../api/calls.ts";
import { messageOf } from "../api/failure.ts";
import type { Gates, Key, Propagation } from "../api/shapes.ts";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { Notice } from "../parts/notice.tsx";
import { keyText } from "../parts/owner.tsx";
import { Time } from "../parts/time.tsx";
import { counted, DAY_MS } from "../parts/wording.ts";
import { useNow } from "../state/clock.ts";
import { useLoaded } from "../state/loaded.ts";
import { endWork } from "../state/work.ts";
import { useAttempt } from "./attempt.ts";
import { PropagationView } from "./propagation.tsx";

interface EndProps {
  readonly how: Ending;
  readonly subject: Key;
}

interface Texts {
  readonly title: string;
  readonly button: string;
  readonly busy: string;
  readonly done: string;
  /** What is so when all gates have followed. */
  readonly confirmed: string;
}

const TEXTS: Readonly<Record<Ending, Texts>> = {
  revoke: {
    title: "Revoke",
    button: "Revoke key",
    busy: "Revoking…",
    done: "Revoked",
    confirmed: "This key is refused everywhere.",
  },
  finish: {
    title: "Finish the rotation of",
    button: "Finish now",
    busy: "Finishing…",
    done: "Rotation finished",
    confirmed: "The old key is refused everywhere.",
  },
  cancel: {
    title: "Cancel the rotation of",
    button: "Cancel rotation",
    busy: "Cancelling…",
    done: "Rotation cancelled",
    confirmed: "The successor is refused everywhere, the old key works on.",
  },
};

export function EndDialog({ how, subject }: EndProps): JSX.Element {
  const [propagation, setPropagation] = useState<Propagation | undefined>(undefined);
  const [isDone, setDone] = useState(false);
  const { isBusy, failure, run } = useAttempt();
  const texts = TEXTS[how];
  const close = (): void => endWork({ hasChanged: isDone || failure !== undefined });
  const end = async (): Promise<void> => {
    const ended = await run(() => endKey(subject.id, how));
    if (ended === undefined) return;
    setDone(true);
    setPropagation(ended.propagation);
  };
  return (
    <Dialog
      title={isDone ? texts.done : `${texts.title} ${keyText(subject)}?`}
      onClose={close}
      isAlert={!isDone}
    >
      {isDone ? (
        <PropagationView propagation={propagation} confirmed={texts.confirmed} onClose={close} />
      ) : (
        <Question
          how={how}
          subject={subject}
          isBusy={isBusy}
          failure={failure === undefined ? undefined : messageOf(failure)}
          onConfirm={() => void end()}
          onCancel={close}
        />
      )}
    </Dialog>
  );
}

/** Nobody sees how many blanks there are, or of how many code points a letter is. */
const asRead = (name: string): string => name.normalize().replaceAll(/\s+/g, " ").trim();

interface QuestionProps extends EndProps {
  readonly isBusy: boolean;
  readonly failure: string | undefined;
  readonly onConfirm: () => void;
  readonly onCancel: () => void;
}

function Question({ how, subject, isBusy, failure, onConfirm, onCancel }: QuestionProps): JSX.Element {
  const [typed, setTyped] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const nowMs = useNow();
  const { data: gates } = useLoaded("gates", listGates);
  const isInUse = subject.last_used_at !== undefined && nowMs - Date.parse(subject.last_used_at) < DAY_MS;
  const mustType = how === "revoke" && isInUse;
  const isConfirmed = !mustType || asRead(typed) === asRead(keyText(subject));
  return (
    <form
      ref={form}
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (isConfirmed && !isBusy) onConfirm();
      }}
    >
      <Consequence how={how} gates={gates}>
        {subject.last_used_at === undefined ? (
          "It was never used."
        ) : (
          <>
            It was last used{" "}
            <b>
              <Time at={subject.last_used_at} />
            </b>
            .
          </>
        )}
      </Consequence>
      {mustType && (
        <TextField
          label={`Type “${keyText(subject)}” to confirm`}
          value={typed}
          onChange={setTyped}
          isFirst
          hint="Asked because it was used in the last 24 hours. To replace it without an outage, rotate it instead."
        />
      )}
      {failure !== undefined && (
        <Notice tone="bad" isAlert>
          {failure}
        </Notice>
      )}
      <div class="dialog-foot">
        <button type="button" class="button" autoFocus={!mustType} onClick={onCancel}>
          {how === "cancel" ? "Keep the rotation" : "Keep the key"}
        </button>
        <button type="submit" class="button primary danger-fill" disabled={!isConfirmed || isBusy}>
          {isBusy ? TEXTS[how].busy : TEXTS[how].button}
        </button>
      </div>
    </form>
  );
}

interface ConsequenceProps {
  readonly how: Ending;
  readonly gates: Gates | undefined;
  readonly children: ComponentChildren;
}

function Consequence({ how, gates, children }: ConsequenceProps): JSX.Element {
  if (how === "cancel") {
    return (
      <p>
        The successor is revoked and the old key stays as it was. Clients that have the successor already are
        refused.
      </p>
    );
  }
  const live = (gates?.items ?? []).filter((gate) => gate.live);
  const reach =
    gates === undefined || live.length === 0
      ? "every gate"
      : `all connected gates (now ${counted(live.length, "gate")})`;
  return (
    <p>
      Requests with {how === "finish" ? "the old key" : "this key"} are refused within about a second on{" "}
      {reach}, and its open streams end. {children} This cannot be undone.
    </p>
  );
}
