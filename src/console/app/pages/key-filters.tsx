/** Search and filters of the key list. They stand in the address, so a filtered list can be sent. */
import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { listOrganizations, listProjects } from "../api/calls.ts";
import type { Key, Owner, Page, Session } from "../api/shapes.ts";
import { Icon } from "../parts/icon.tsx";
import { useLoaded } from "../state/loaded.ts";
import { amend, hrefOf } from "../state/route.ts";

interface FilterProps {
  readonly session: Session;
  readonly query: Readonly<Record<string, string>>;
  /** Keys on the screen: their environments are offered. */
  readonly seen: readonly Key[];
}

const TYPING_MS = 250;
const NO_OWNERS: Page<Owner> = { items: [], next: null };

const STATUSES = [
  ["active", "Active"],
  ["rotating", "Rotating"],
  ["not_yet_valid", "Not yet valid"],
  ["expired", "Expired"],
  ["revoked", "Revoked"],
] as const;

export function KeyFilters({ session, query, seen }: FilterProps): JSX.Element {
  const { organization } = query;
  const organizations = useLoaded("organizations", listOrganizations);
  const projects = useLoaded(`projects ${organization ?? ""}`, async (how) =>
    organization === undefined ? NO_OWNERS : await listProjects(organization, how),
  );
  const environments = new Set([
    ...(session.environments ?? []),
    ...seen.flatMap(({ environment }) => environment ?? []),
  ]);
  const hasAny = ["search", "organization", "project", "environment", "status"].some(
    (name) => query[name] !== undefined,
  );
  const set = (name: string, value: string): void =>
    amend({ [name]: value, cursor: undefined, ...(name === "organization" && { project: undefined }) });
  return (
    <search class="filters">
      <SearchBox value={query["search"] ?? ""} onChange={(value) => set("search", value)} />
      <OwnerFilter
        label="Organization"
        owners={organizations.data ?? NO_OWNERS}
        value={organization ?? ""}
        onChange={(value) => set("organization", value)}
      />
      {organization !== undefined && (
        <OwnerFilter
          label="Project"
          owners={projects.data ?? NO_OWNERS}
          value={query["project"] ?? ""}
          onChange={(value) => set("project", value)}
        />
      )}
      <Filter
        label="Environment"
        value={query["environment"] ?? ""}
        choices={[...environments].toSorted().map((name) => [name, name])}
        onChange={(value) => set("environment", value)}
      />
      <Filter
        label="Status"
        value={query["status"] ?? ""}
        choices={STATUSES}
        onChange={(value) => set("status", value)}
      />
      {hasAny && (
        <a class="link-button" href={hrefOf(["keys"])}>
          Clear
        </a>
      )}
    </search>
  );
}

/** Asks when somebody pauses, not at every letter. */
function SearchBox({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
}): JSX.Element {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="search">
      <span class="unseen">Search keys by name or start of the secret</span>
      <Icon name="search" />
      <input
        class="input"
        type="search"
        placeholder="Search name or start of key"
        maxLength={200}
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  );
}

interface OwnerFilterProps {
  readonly label: string;
  readonly owners: Page<Owner>;
  readonly value: string;
  readonly onChange: (id: string) => void;
}

/** A list to choose from while it is short; of many owners, the id is typed with suggestions. */
function OwnerFilter({ label, owners, value, onChange }: OwnerFilterProps): JSX.Element {
  const listId = useId();
  if (owners.next === null) {
    const choices = owners.items.map(({ id, name }) => [id, name ?? id] as const);
    return <Filter label={label} value={value} choices={choices} onChange={onChange} />;
  }
  return (
    <label class="filter">
      <span class="unseen">{label} id</span>
      <input
        class="input"
        type="text"
        list={listId}
        placeholder={`${label} id`}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value.trim())}
      />
      <datalist id={listId}>
        {owners.items.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </datalist>
    </label>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

export function Filter({ label, value, choices, onChange }: SelectProps): JSX.Element {
  const isKnown = value === "" || choices.some(([choice]) => choice === value);
  return (
    <label class="filter">
      <span class="unseen">{label}</span>
      <select
        class={value === "" ? "input" : "input is-set"}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        <option value="">{label}: all</option>
        {!isKnown && <option value={value}>{value}</option>}
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
