/** All keys: found, filtered, a page at a time, with what each did in the last day. */
import type { JSX } from "preact";
import { listKeys } from "../api/calls.ts";
import type { Key, Page, Session } from "../api/shapes.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, FailureNotice, Waiting } from "../parts/notice.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { Pager } from "../parts/pager.tsx";
import { counted } from "../parts/wording.ts";
import { announce } from "../state/announcer.ts";
import { useLoaded } from "../state/loaded.ts";
import { useObservable } from "../state/observable.ts";
import { amend, hrefOf } from "../state/route.ts";
import { mayChangeKeys } from "../state/session.ts";
import { begin, changes } from "../state/work.ts";
import { useDayOf } from "./key-day.ts";
import { KeyFilters } from "./key-filters.tsx";
import { KeyTable } from "./key-table.tsx";

type Query = Readonly<Record<string, string>>;

const FILTERS = ["search", "organization", "project", "environment", "status"] as const;

/** For what was used last. */
const EVERY_MS = 30_000;

export function KeysPage({
  session,
  query,
}: {
  readonly session: Session;
  readonly query: Query;
}): JSX.Element {
  const changed = useObservable(changes);
  const asked = Object.fromEntries([...FILTERS, "cursor"].map((name) => [name, query[name]]));
  const what = `keys ${JSON.stringify(asked)} ${changed}`;
  const load = async (how: Parameters<typeof listKeys>[1]): Promise<Page<Key>> => {
    const page = await listKeys(asked, how);
    if (how.isPoll !== true)
      announce(page.items.length === 0 ? "No keys" : counted(page.items.length, "key"));
    return page;
  };
  const keys = useLoaded(what, load, { everyMs: EVERY_MS });
  const usage = useDayOf(keys.data?.items ?? []);
  const mayCreate = mayChangeKeys(session.role);
  const isFiltered = FILTERS.some((name) => query[name] !== undefined);
  return (
    <>
      <PageHead title="Keys">{mayCreate && <CreateButton />}</PageHead>
      <KeyFilters session={session} query={query} seen={keys.data?.items ?? []} />
      <FailureNotice
        failure={keys.failure}
        onRetry={keys.failure?.code === "cursor_invalid" ? () => amend({ cursor: undefined }) : keys.reload}
      />
      {keys.data === undefined && keys.isLoading && <Waiting lines={8} />}
      {keys.data !== undefined && keys.data.items.length > 0 && (
        <KeyTable keys={keys.data.items} usage={usage.data} isStale={keys.isLoading} />
      )}
      {keys.data?.items.length === 0 && (isFiltered ? <NothingFound /> : <NoKeys mayCreate={mayCreate} />)}
      {keys.data !== undefined && (
        <Pager label="Pages of keys" section="keys" query={query} next={keys.data.next}>
          {keys.data.items.length === 0
            ? ""
            : `${counted(keys.data.items.length, "key")} on this page, newest first`}
        </Pager>
      )}
    </>
  );
}

function CreateButton(): JSX.Element {
  return (
    <button type="button" class="button primary" onClick={() => begin({ kind: "create" })}>
      <Icon name="plus" /> Create key
    </button>
  );
}

function NoKeys({ mayCreate }: { readonly mayCreate: boolean }): JSX.Element {
  return (
    <Empty title="No keys yet">
      <p>A key lets one client through the gates, with the scopes that you give it.</p>
      {mayCreate && <CreateButton />}
    </Empty>
  );
}

function NothingFound(): JSX.Element {
  return (
    <Empty title="No key fits">
      <p>Search looks at names and at the start of the secret.</p>
      <a class="button" href={hrefOf(["keys"])}>
        Clear all filters
      </a>
    </Empty>
  );
}
