/** Making a key. Its secret goes to the dialog that shows it once. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { createKey, type KeyDraft, listOrganizations, listProjects } from "../api/calls.ts";
import { type Failure, faultOf } from "../api/failure.ts";
import { newIdempotencyKey } from "../api/http.ts";
import type { Session } from "../api/shapes.ts";
import { ChoiceRow } from "../parts/choice-row.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { dateOf, DAY_MS, endOfDay } from "../parts/wording.ts";
import { useLoaded } from "../state/loaded.ts";
import { begin, endWork } from "../state/work.ts";
import { useAttempt } from "./attempt.ts";
import { AttemptForm } from "./attempt-form.tsx";
import { ScopeField } from "./scope-field.tsx";

const LIFETIMES = [
  { value: "7", text: "7 days" },
  { value: "30", text: "30 days" },
  { value: "90", text: "90 days" },
  { value: "365", text: "1 year" },
  { value: "date", text: "Date…" },
  { value: "", text: "Never" },
] as const;

interface Draft {
  readonly name: string;
  readonly organization: string;
  readonly project: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly lifetime: string;
  readonly date: string;
}

export function CreateDialog({ session }: { readonly session: Session }): JSX.Element {
  const [draft, setDraft] = useState<Draft>({
    name: "",
    organization: "",
    project: "",
    environment: session.environments?.[0] ?? "",
    scopes: [],
    lifetime: "90",
    date: "",
  });
  // A second try after a broken connection must not make a second key; another draft is another key.
  const [intent, setIntent] = useState(newIdempotencyKey);
  const { isBusy, failure, run } = useAttempt();
  const close = (): void => endWork({ hasChanged: failure !== undefined });
  const set = (part: Partial<Draft>): void => {
    setDraft((before) => ({ ...before, ...part }));
    setIntent(newIdempotencyKey());
  };
  const submit = async (): Promise<void> => {
    const made = await run(() => createKey(bodyOf(draft), intent));
    if (made !== undefined) begin({ kind: "secret", made });
  };
  return (
    <Dialog title="Create key" onClose={close}>
      <AttemptForm
        isBusy={isBusy}
        failure={failure}
        button="Create key"
        busy="Creating…"
        onSubmit={submit}
        onCancel={close}
      >
        <Fields draft={draft} set={set} failure={failure} environments={session.environments ?? []} />
      </AttemptForm>
    </Dialog>
  );
}

interface FieldsProps extends PartProps {
  readonly environments: readonly string[];
}

function Fields({ draft, set, failure, environments }: FieldsProps): JSX.Element {
  return (
    <>
      <TextField
        label="Name"
        isFirst
        value={draft.name}
        onChange={(name) => set({ name })}
        isRequired
        placeholder="Billing service, production"
        hint="What uses it. People find it again by this."
        fault={faultOf(failure, "/name")}
      />
      <Owners draft={draft} set={set} failure={failure} />
      {environments.length > 0 ? (
        <ChoiceRow
          label="Environment"
          hasLabel
          value={draft.environment}
          choices={environments.map((value) => ({ value, text: value }))}
          onChange={(environment) => set({ environment })}
        />
      ) : (
        <TextField
          label="Environment"
          isOptional
          value={draft.environment}
          suggestions={["live", "test"]}
          onChange={(environment) => set({ environment: environment.trim() })}
          fault={faultOf(failure, "/environment")}
        />
      )}
      <ScopeField
        scopes={draft.scopes}
        onChange={(scopes) => set({ scopes })}
        fault={faultOf(failure, "/scopes")}
      />
      <Lifetime draft={draft} set={set} failure={failure} />
    </>
  );
}

interface PartProps {
  readonly draft: Draft;
  readonly set: (part: Partial<Draft>) => void;
  readonly failure: Failure | undefined;
}

function Owners({ draft, set, failure }: PartProps): JSX.Element {
  const organizations = useLoaded("organizations", listOrganizations);
  const isKnown = organizations.data?.items.some(({ id }) => id === draft.organization) === true;
  const projects = useLoaded(`projects ${isKnown ? draft.organization : ""}`, async (how) =>
    isKnown ? await listProjects(draft.organization, how) : { items: [], next: null },
  );
  return (
    <div class="columns">
      <TextField
        label="Organization id"
        value={draft.organization}
        onChange={(organization) => set({ organization: organization.trim() })}
        suggestions={(organizations.data?.items ?? []).map(({ id }) => id)}
        isRequired
        isMono
        placeholder="org_acme"
        hint="One that is new is made along."
        fault={faultOf(failure, "/organization")}
      />
      <TextField
        label="Project id"
        isOptional
        value={draft.project}
        onChange={(project) => set({ project: project.trim() })}
        suggestions={(projects.data?.items ?? []).map(({ id }) => id)}
        isMono
        placeholder="proj_agents"
        fault={faultOf(failure, "/project")}
      />
    </div>
  );
}

function Lifetime({ draft, set, failure }: PartProps): JSX.Element {
  const fault = faultOf(failure, "/expires_at", "/expires_in_days");
  const { lifetime, date } = draft;
  const isDate = lifetime === "date";
  return (
    <div class="field">
      <ChoiceRow
        label="Expires after"
        hasLabel
        value={lifetime}
        choices={LIFETIMES}
        onChange={(next) => set({ lifetime: next })}
      />
      {isDate && (
        <TextField
          label="Last day"
          type="date"
          value={date}
          onChange={(next) => set({ date: next })}
          isRequired
          min={new Date(Date.now() + DAY_MS).toISOString().slice(0, 10)}
        />
      )}
      {fault !== undefined && (
        <p class="fault" role="alert">
          {fault}
        </p>
      )}
      {!isDate && (
        <p class="hint">
          {lifetime === ""
            ? "It works until it is revoked. Keys that end by themselves are safer."
            : `Refused from ${dateOf(Date.now() + Number(lifetime) * DAY_MS)} on, unless it is rotated before.`}
        </p>
      )}
    </div>
  );
}

function bodyOf({ name, organization, project, environment, scopes, lifetime, date }: Draft): KeyDraft {
  return {
    ...(name.trim() !== "" && { name: name.trim() }),
    organization,
    ...(project !== "" && { project }),
    ...(environment !== "" && { environment }),
    scopes,
    ...(lifetime === "date" && { expires_at: endOfDay(date) }),
    ...(lifetime !== "date" && lifetime !== "" && { expires_in_days: Number(lifetime) }),
  };
}
