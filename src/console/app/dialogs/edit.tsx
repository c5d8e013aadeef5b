/** Changing what may change of a key: its name, its scopes, its end. Clients keep the key that they have. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { changeKey, type KeyChange } from "../api/calls.ts";
import { faultOf } from "../api/failure.ts";
import type { Key } from "../api/shapes.ts";
import { ChoiceRow } from "../parts/choice-row.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { keyText } from "../parts/owner.tsx";
import { absoluteTime, DAY_MS, endOfDay } from "../parts/wording.ts";
import { announce } from "../state/announcer.ts";
import { endWork } from "../state/work.ts";
import { useAttempt } from "./attempt.ts";
import { AttemptForm } from "./attempt-form.tsx";
import { ScopeField } from "./scope-field.tsx";

interface Draft {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly end: "keep" | "never" | "date";
  readonly date: string;
}

export function EditDialog({ subject }: { readonly subject: Key }): JSX.Element {
  const [draft, setDraft] = useState<Draft>({
    name: subject.name ?? "",
    scopes: subject.scopes,
    end: "keep",
    date: "",
  });
  const { isBusy, failure, run } = useAttempt();
  const set = (part: Partial<Draft>): void => setDraft((before) => ({ ...before, ...part }));
  const close = (): void => endWork({ hasChanged: failure !== undefined });
  const save = async (): Promise<void> => {
    const change = changeOf(subject, draft);
    if (Object.keys(change).length === 0) {
      close();
      return;
    }
    const changed = await run(() => changeKey(subject.id, change));
    if (changed === undefined) return;
    announce("Saved");
    endWork({ hasChanged: true });
  };
  return (
    <Dialog title={`Edit ${keyText(subject)}`} onClose={close}>
      <AttemptForm
        isBusy={isBusy}
        failure={failure}
        button="Save"
        busy="Saving…"
        onSubmit={save}
        onCancel={close}
      >
        <TextField
          label="Name"
          isFirst
          value={draft.name}
          onChange={(name) => set({ name })}
          isRequired
          fault={faultOf(failure, "/name")}
        />
        <ScopeField
          scopes={draft.scopes}
          onChange={(scopes) => set({ scopes })}
          fault={faultOf(failure, "/scopes")}
        />
        {/* The end of a rotation's overlap is not a date of its own. */}
        {subject.status !== "rotating" && (
          <End subject={subject} draft={draft} set={set} fault={faultOf(failure, "/expires_at")} />
        )}
        <p class="hint">Gates apply the change within about a second. The secret stays the same.</p>
      </AttemptForm>
    </Dialog>
  );
}

interface EndProps {
  readonly subject: Key;
  readonly draft: Draft;
  readonly set: (part: Partial<Draft>) => void;
  readonly fault: string | undefined;
}

function End({ subject, draft, set, fault }: EndProps): JSX.Element {
  const { expires_at } = subject;
  const now = expires_at === undefined ? "Never, as now" : `${absoluteTime(Date.parse(expires_at))}, as now`;
  const choices = [
    { value: "keep", text: now },
    ...(expires_at === undefined ? [] : [{ value: "never", text: "Never" }]),
    { value: "date", text: "Date…" },
  ];
  return (
    <div class="field">
      <ChoiceRow
        label="Expires"
        hasLabel
        value={draft.end}
        choices={choices}
        onChange={(end) => set({ end: end as Draft["end"] })}
      />
      {draft.end === "date" && (
        <TextField
          label="Last day"
          type="date"
          value={draft.date}
          onChange={(date) => set({ date })}
          isRequired
          min={new Date(Date.now() + DAY_MS).toISOString().slice(0, 10)}
          fault={fault}
        />
      )}
    </div>
  );
}

/** Only what differs: what somebody else changed meanwhile stays theirs. */
function changeOf(subject: Key, { name, scopes, end, date }: Draft): KeyChange {
  const isSame = scopes.length === subject.scopes.length && scopes.every((it) => subject.scopes.includes(it));
  return {
    ...(name.trim() !== (subject.name ?? "") && { name: name.trim() }),
    ...(!isSame && { scopes }),
    ...(end === "never" && { expires_at: null }),
    ...(end === "date" && { expires_at: endOfDay(date) }),
  };
}
