/** Rows of the audit log: when, who, what, to what. */
import type { JSX } from "preact";
import type { AuditEntry } from "../api/shapes.ts";
import { Empty } from "../parts/notice.tsx";
import { Time } from "../parts/time.tsx";
import { absoluteTime, duration } from "../parts/wording.ts";
import { hrefOf } from "../state/route.ts";

interface AuditTableProps {
  readonly entries: readonly AuditEntry[];
  readonly label: string;
  /** Token id → what people call it. */
  readonly names: ReadonlyMap<string, string>;
  /** Then what it was done to needs no column. */
  readonly isOfOneKey?: boolean;
}

const ACTIONS: Readonly<Record<string, string>> = {
  "key.create": "Created the key",
  "key.update": "Changed the key",
  "key.rotate": "Rotated the key",
  "key.revoke": "Revoked the key",
  "key.rotation_finish": "Finished the rotation",
  "key.rotation_cancel": "Cancelled the rotation",
  "organization.create": "Created the organization",
  "organization.update": "Renamed the organization",
  "project.create": "Created the project",
  "project.update": "Renamed the project",
  "token.create": "Created the token",
  "token.revoke": "Revoked the token",
};

export const actionChoices: readonly (readonly [string, string])[] = Object.entries(ACTIONS);

export function AuditTable({ entries, label, names, isOfOneKey = false }: AuditTableProps): JSX.Element {
  if (entries.length === 0) return <Empty title="Nothing is recorded here" />;
  return (
    <table class="table audit">
      <caption class="unseen">{label}</caption>
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">What</th>
          {!isOfOneKey && <th scope="col">To what</th>}
          <th scope="col" class="from-medium">
            By whom
          </th>
          <th scope="col" class="from-small">
            Details
          </th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <tr key={entry.id}>
            <td class="when">
              <Time at={entry.at} />
            </td>
            <th scope="row">
              <span title={entry.action}>{ACTIONS[entry.action] ?? entry.action}</span>
              <span class="under until-medium">
                <Actor entry={entry} names={names} />
              </span>
            </th>
            {!isOfOneKey && (
              <td>
                <Subject entry={entry} />
              </td>
            )}
            <td class="from-medium actor">
              <Actor entry={entry} names={names} />
            </td>
            <td class="from-small">
              <Details entry={entry} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface ActorProps {
  readonly entry: AuditEntry;
  readonly names: ReadonlyMap<string, string>;
}

function Actor({ entry: { actor }, names }: ActorProps): JSX.Element {
  const name = actor.kind === "cli" ? "Command line" : names.get(actor.id);
  return (
    <>
      {name === undefined ? <span class="mono">{actor.id}</span> : <span title={actor.id}>{name}</span>}
      <span class="under">
        {[actor.via === "console" && "in the console", actor.address].filter(Boolean).join(", ")}
      </span>
    </>
  );
}

function Subject({ entry: { action, subject, details } }: { readonly entry: AuditEntry }): JSX.Element {
  const name = typeof details["name"] === "string" ? details["name"] : undefined;
  return (
    <>
      {action.startsWith("key.") ? (
        <a class="mono" href={hrefOf(["keys", subject])}>
          {subject}
        </a>
      ) : (
        <span class="mono">{subject}</span>
      )}
      {name !== undefined && <span class="under">{name}</span>}
    </>
  );
}

function Details({ entry: { details } }: { readonly entry: AuditEntry }): JSX.Element {
  const given = Object.entries(details).filter(
    // A name as text stands beside the id already; a changed one is an object.
    ([name, value]) => value !== null && !(name === "name" && typeof value === "string"),
  );
  if (given.length === 0) return <span class="quiet">–</span>;
  return (
    <dl class="details">
      {given.map(([name, value]) => (
        <div key={name}>
          <dt>{DETAILS[name] ?? name.replaceAll("_", " ")}</dt>
          <dd>{name.endsWith("_ms") ? duration(Number(value)) : detailText(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

const DETAILS: Readonly<Record<string, string>> = {
  overlap_ms: "overlap",
  expires_at: "expiry",
  status: "was",
};
const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

function detailText(value: unknown): string {
  if (typeof value === "string") return INSTANT.test(value) ? absoluteTime(Date.parse(value)) : value;
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.map(detailText).join(", ");
  if (value === null) return "none";
  if (typeof value !== "object") return JSON.stringify(value);
  if ("from" in value && "to" in value) return `${detailText(value.from)} → ${detailText(value.to)}`;
  if ("name" in value && typeof value.name === "string") return value.name;
  if ("id" in value) return detailText(value.id);
  return JSON.stringify(value);
}
