/** The list of keys as a table. On narrow screens the less needed columns go under the name. */
import type { JSX } from "preact";
import type { Key } from "../api/shapes.ts";
import { KeyStatusBadge } from "../parts/badge.tsx";
import { keyText, ownerText, startText } from "../parts/owner.tsx";
import { Scopes } from "../parts/scopes.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { Time } from "../parts/time.tsx";
import { hrefOf } from "../state/route.ts";
import type { DayOfKeys } from "./key-day.ts";

interface KeyTableProps {
  readonly keys: readonly Key[];
  readonly usage: DayOfKeys | undefined;
  /** Another page is on its way. */
  readonly isStale: boolean;
}

const SCOPES_SHOWN = 2;

export function KeyTable({ keys, usage, isStale }: KeyTableProps): JSX.Element {
  return (
    <table class={isStale ? "table keys is-stale" : "table keys"} aria-busy={isStale}>
      <caption class="unseen">Keys, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col" class="from-medium">
            Owner
          </th>
          <th scope="col" class="from-wide">
            Scopes
          </th>
          <th scope="col" class="from-small">
            Last 24 hours
          </th>
          <th scope="col" class="from-small">
            Last used
          </th>
          <th scope="col" class="from-medium">
            Expires
          </th>
          <th scope="col">Status</th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <KeyRow key={key.id} view={key} usage={usage} />
        ))}
      </tbody>
    </table>
  );
}

function KeyRow({ view, usage }: { readonly view: Key; readonly usage: DayOfKeys | undefined }): JSX.Element {
  const { id, organization, project, environment, scopes, status } = view;
  const isOver = status === "revoked" || status === "expired";
  return (
    <tr class={isOver ? "is-over" : undefined}>
      <th scope="row">
        <a class="row-link" href={hrefOf(["keys", id])}>
          {keyText(view)}
        </a>
        <span class="under mono">{startText(view)}</span>
        <span class="under until-medium">
          {ownerText(organization)}
          {environment !== undefined && ` · ${environment}`}
        </span>
        <span class="under until-small">
          Last used <Time at={view.last_used_at} none="never" />
        </span>
      </th>
      <td class="from-medium owner">
        <span title={organization.id}>{ownerText(organization)}</span>
        <span class="under">
          {project !== undefined && <span title={project.id}>{ownerText(project)}</span>}
          {project !== undefined && environment !== undefined && " · "}
          {environment}
        </span>
      </td>
      <td class="from-wide">
        <Scopes scopes={scopes} most={SCOPES_SHOWN} />
      </td>
      <td class="from-small">
        {usage !== undefined && <Sparkline items={usage.byKey.get(id) ?? []} fromMs={usage.fromMs} />}
      </td>
      <td class="from-small">
        <Time at={view.last_used_at} />
      </td>
      <td class="from-medium">
        <Time at={view.expires_at} />
      </td>
      <td>
        <KeyStatusBadge keyView={view} />
      </td>
    </tr>
  );
}
