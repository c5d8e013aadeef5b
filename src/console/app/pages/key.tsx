/** One key: how it stands, what it may do, what it did, and what was done to it. */
import type { ComponentChildren, JSX } from "preact";
import { getKey, listAudit } from "../api/calls.ts";
import type { Key, Session } from "../api/shapes.ts";
import { KeyStatusBadge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Icon } from "../parts/icon.tsx";
import { FailureNotice, Waiting } from "../parts/notice.tsx";
import { keyText, ownerText, startText } from "../parts/owner.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { Scopes } from "../parts/scopes.tsx";
import { ExactTime, Time } from "../parts/time.tsx";
import { useLoaded } from "../state/loaded.ts";
import { useObservable } from "../state/observable.ts";
import { hrefOf } from "../state/route.ts";
import { mayChangeKeys } from "../state/session.ts";
import { begin, changes } from "../state/work.ts";
import { AuditTable } from "./audit-table.tsx";
import { KeyUsage } from "./key-usage.tsx";
import { useTokenNames } from "./token-names.ts";

interface KeyPageProps {
  readonly id: string;
  readonly session: Session;
  readonly query: Readonly<Record<string, string>>;
}

const EVERY_MS = 10_000;

export function KeyPage({ id, session, query }: KeyPageProps): JSX.Element {
  const changed = useObservable(changes);
  const {
    data: view,
    failure,
    reload,
  } = useLoaded(`key ${id} ${changed}`, (how) => getKey(id, how), {
    everyMs: EVERY_MS,
  });
  const above = (
    <a class="back" href={hrefOf(["keys"])}>
      <Icon name="left" /> Keys
    </a>
  );
  if (view === undefined) {
    return (
      <>
        <PageHead title={failure?.code === "not_found" ? "No such key" : "Key"} above={above} />
        <FailureNotice failure={failure} onRetry={reload} />
        {failure === undefined && <Waiting lines={6} />}
      </>
    );
  }
  return (
    <>
      <PageHead title={keyText(view)} above={above} mark={<KeyStatusBadge keyView={view} />}>
        {mayChangeKeys(session.role) && <Actions view={view} />}
      </PageHead>
      <FailureNotice failure={failure} onRetry={reload} />
      <Rotation view={view} mayChange={mayChangeKeys(session.role)} />
      <Facts view={view} />
      <KeyUsage id={id} range={query["range"]} />
      <History id={id} changed={changed} session={session} />
    </>
  );
}

function Actions({ view }: { readonly view: Key }): JSX.Element | null {
  const { status } = view;
  if (status === "revoked" || status === "expired") return null;
  return (
    <>
      <button type="button" class="button" onClick={() => begin({ kind: "edit", subject: view })}>
        <Icon name="edit" /> Edit
      </button>
      {status !== "rotating" && (
        <button type="button" class="button" onClick={() => begin({ kind: "rotate", subject: view })}>
          <Icon name="rotate" /> Rotate
        </button>
      )}
      <button
        type="button"
        class="button danger"
        onClick={() => begin({ kind: "end", how: "revoke", subject: view })}
      >
        <Icon name="stop" /> Revoke
      </button>
    </>
  );
}

/** While a successor takes over. */
function Rotation({
  view,
  mayChange,
}: {
  readonly view: Key;
  readonly mayChange: boolean;
}): JSX.Element | null {
  const { status, successor, expires_at, last_used_at, rotated_at } = view;
  if (successor === undefined) return null;
  const link = (
    <a class="mono" href={hrefOf(["keys", successor])}>
      {successor}
    </a>
  );
  if (status !== "rotating") {
    return (
      <p class="panel-line">
        <Icon name="rotate" /> <span>Replaced by {link}.</span>
      </p>
    );
  }
  return (
    <section class="panel panel-info" aria-label="Rotation">
      <div>
        <h2>Being replaced by {link}</h2>
        <p>
          Rotated <Time at={rotated_at} />. This key works until <ExactTime at={expires_at} />; it was last
          used <Time at={last_used_at} none="never" />. Until then, answers to it carry a{" "}
          <code>Deprecation</code> notice.
        </p>
      </div>
      {mayChange && (
        <div class="panel-actions">
          <button
            type="button"
            class="button"
            onClick={() => begin({ kind: "end", how: "finish", subject: view })}
          >
            Finish now
          </button>
          <button
            type="button"
            class="button"
            onClick={() => begin({ kind: "end", how: "cancel", subject: view })}
          >
            Cancel rotation
          </button>
        </div>
      )}
    </section>
  );
}

function Facts({ view }: { readonly view: Key }): JSX.Element {
  const { id, organization, project, environment, environment_name, scopes, folders, limits } = view;
  return (
    <section class="facts-section" aria-label="About this key">
      <dl class="facts">
        <Fact name="Key id">
          <span class="mono">{id}</span> <CopyButton text={id} what="Key id" isSmall />
        </Fact>
        <Fact name="Begins with">
          <span class="mono">{startText(view) || "–"}</span>
        </Fact>
        <Fact name="Organization">
          {ownerText(organization)}{" "}
          {organization.name !== undefined && <span class="quiet mono">{organization.id}</span>}
        </Fact>
        <Fact name="Project">
          {project === undefined ? <span class="quiet">None</span> : ownerText(project)}{" "}
          {project?.name !== undefined && <span class="quiet mono">{project.id}</span>}
        </Fact>
        <Fact name="Environment">
          {environment ?? <span class="quiet">None</span>}{" "}
          {environment_name !== undefined && <span class="quiet">{environment_name}</span>}
        </Fact>
        <Fact name="Last used">
          <ExactTime at={view.last_used_at} />
        </Fact>
        <Fact name="Created">
          <ExactTime at={view.created_at} none="Unknown" />
        </Fact>
        {view.not_before !== undefined && (
          <Fact name="Valid from">
            <ExactTime at={view.not_before} />
          </Fact>
        )}
        {view.revoked_at === undefined ? (
          <Fact name={view.status === "expired" ? "Expired" : "Expires"}>
            <ExactTime at={view.expires_at} />
          </Fact>
        ) : (
          <Fact name="Revoked">
            <ExactTime at={view.revoked_at} />
          </Fact>
        )}
        <Fact name="Scopes">
          <Scopes scopes={scopes} />
        </Fact>
        {folders !== undefined && (
          <Fact name="Folders">
            <Scopes scopes={folders} />
          </Fact>
        )}
        <Fact name="Limits">
          {limits === undefined ? (
            <span class="quiet">None of its own</span>
          ) : (
            <code>{JSON.stringify(limits)}</code>
          )}
        </Fact>
      </dl>
    </section>
  );
}

function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface HistoryProps {
  readonly id: string;
  readonly changed: number;
  readonly session: Session;
}

function History({ id, changed, session }: HistoryProps): JSX.Element {
  const names = useTokenNames(session);
  const { data, failure, reload } = useLoaded(`history ${id} ${changed}`, (how) =>
    listAudit({ subject: id }, how),
  );
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      <FailureNotice failure={failure} onRetry={reload} />
      {data === undefined ? (
        failure === undefined && <Waiting />
      ) : (
        <AuditTable
          entries={data.items}
          names={names}
          label="What was done to this key, newest first"
          isOfOneKey
        />
      )}
      {data !== undefined && data.next !== null && (
        <p>
          <a href={hrefOf(["audit"], { subject: id })}>Older entries</a>
        </p>
      )}
    </section>
  );
}
