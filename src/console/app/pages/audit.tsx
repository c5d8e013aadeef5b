/** Everything that was done through the registry, newest first. */
import type { JSX } from "preact";
import { listAudit, listOrganizations } from "../api/calls.ts";
import type { Session } from "../api/shapes.ts";
import { FailureNotice, Waiting } from "../parts/notice.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { Pager } from "../parts/pager.tsx";
import { useLoaded } from "../state/loaded.ts";
import { amend, hrefOf } from "../state/route.ts";
import { actionChoices, AuditTable } from "./audit-table.tsx";
import { Filter } from "./key-filters.tsx";
import { useTokenNames } from "./token-names.ts";

interface AuditPageProps {
  readonly session: Session;
  readonly query: Readonly<Record<string, string>>;
}

export function AuditPage({ session, query }: AuditPageProps): JSX.Element {
  const names = useTokenNames(session);
  const { action, organization, subject, cursor } = query;
  const asked = { action, organization, subject, cursor };
  const { data, failure, isLoading, reload } = useLoaded(`audit ${JSON.stringify(asked)}`, (how) =>
    listAudit(asked, how),
  );
  const organizations = useLoaded("organizations", listOrganizations);
  const set = (name: string, value: string): void => amend({ [name]: value, cursor: undefined });
  return (
    <>
      <PageHead title="Audit" />
      <search class="filters">
        <Filter
          label="What"
          value={action ?? ""}
          choices={actionChoices}
          onChange={(value) => set("action", value)}
        />
        <Filter
          label="Organization"
          value={organization ?? ""}
          choices={(organizations.data?.items ?? []).map(({ id, name }) => [id, name ?? id])}
          onChange={(value) => set("organization", value)}
        />
        {subject !== undefined && <span class="chip">Only {subject}</span>}
        {[action, organization, subject].some((value) => value !== undefined) && (
          <a class="link-button" href={hrefOf(["audit"])}>
            Clear
          </a>
        )}
      </search>
      <FailureNotice
        failure={failure}
        onRetry={failure?.code === "cursor_invalid" ? () => amend({ cursor: undefined }) : reload}
      />
      {data === undefined && isLoading && <Waiting lines={8} />}
      {data !== undefined && (
        <AuditTable entries={data.items} names={names} label="Audit log, newest first" />
      )}
      {data !== undefined && (
        <Pager label="Pages of the audit log" section="audit" query={query} next={data.next} />
      )}
    </>
  );
}
