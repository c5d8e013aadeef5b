/** Rotating a key: a successor now, and how long the old one lives on. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { rotateKey } from "../api/calls.ts";
import { newIdempotencyKey } from "../api/http.ts";
import type { Key } from "../api/shapes.ts";
import { ChoiceRow } from "../parts/choice-row.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Notice } from "../parts/notice.tsx";
import { keyText } from "../parts/owner.tsx";
import { Time } from "../parts/time.tsx";
import { begin, endWork } from "../state/work.ts";
import { useAttempt } from "./attempt.ts";
import { AttemptForm } from "./attempt-form.tsx";

const OVERLAPS = [
  { value: "0s", text: "Not at all" },
  { value: "15m", text: "15 min" },
  { value: "1h", text: "1 h" },
  { value: "6h", text: "6 h" },
  { value: "24h", text: "24 h" },
  { value: "7d", text: "7 days" },
] as const;

export function RotateDialog({ subject }: { readonly subject: Key }): JSX.Element {
  const [overlap, setOverlap] = useState("24h");
  const [intent, setIntent] = useState(newIdempotencyKey);
  const { isBusy, failure, run } = useAttempt();
  const close = (): void => endWork({ hasChanged: failure !== undefined });
  const rotate = async (): Promise<void> => {
    const made = await run(() => rotateKey(subject.id, overlap, intent));
    if (made === undefined) return;
    begin({ kind: "secret", made, ...(overlap !== "0s" && { replaces: made.previous }) });
  };
  return (
    <Dialog title={`Rotate ${keyText(subject)}`} onClose={close}>
      <AttemptForm
        isBusy={isBusy}
        failure={failure}
        button="Rotate key"
        busy="Rotating…"
        onSubmit={rotate}
        onCancel={close}
      >
        <p>
          A new key is made now, with the same owner and scopes. You see its secret once. The current key was
          last used{" "}
          <b>
            <Time at={subject.last_used_at} none="never" />
          </b>
          .
        </p>
        <ChoiceRow
          label="The current key keeps working for"
          hasLabel
          isFirst
          value={overlap}
          choices={OVERLAPS}
          onChange={(value) => {
            setOverlap(value);
            setIntent(newIdempotencyKey());
          }}
        />
        {overlap === "0s" && (
          <Notice tone="warn">
            Clients that have the current key are refused within seconds. Choose this when it has leaked.
          </Notice>
        )}
      </AttemptForm>
    </Dialog>
  );
}
