/** What all keys together did: live and test apart, which keys most, and why requests were refused. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { getKey, getUsage } from "../api/calls.ts";
import { Failure } from "../api/failure.ts";
import type { Asked } from "../api/http.ts";
import type { Key, Usage, UsageItem, UsageSums } from "../api/shapes.ts";
import { UsageChart } from "../parts/chart.tsx";
import { ChoiceRow } from "../parts/choice-row.tsx";
import { Denials } from "../parts/denials.tsx";
import { Empty, FailureNotice, Waiting } from "../parts/notice.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { UsageFigures } from "../parts/usage-figures.tsx";
import { useLoaded } from "../state/loaded.ts";
import { queryOf, rangeChoices, rangeNamed, rangeText, type RangeName, timelineOf } from "../state/range.ts";
import { amend } from "../state/route.ts";
import { addedUp } from "../state/sums.ts";
import { EnvironmentCards } from "./environment-cards.tsx";
import { type TopKey, TopKeys } from "./top-keys.tsx";

const EVERY_MS = 30_000;
const TOP = 10;
/** In the address: every environment, also none. */
const ALL = "";

export function UsagePage({ query }: { readonly query: Readonly<Record<string, string>> }): JSX.Element {
  const range = rangeNamed(query["range"]);
  const chosen = query["environment"] ?? ALL;
  const { data, failure, reload } = useLoaded(
    `usage ${range}`,
    (how) => getUsage({ ...queryOf(range, Date.now()), group_by: "environment" }, how),
    { everyMs: EVERY_MS },
  );
  return (
    <>
      <PageHead title="Usage">
        <ChoiceRow
          label="Time"
          value={range}
          choices={rangeChoices}
          onChange={(value) => amend({ range: value })}
        />
      </PageHead>
      <FailureNotice failure={failure} onRetry={reload} />
      {data === undefined && failure === undefined && <Waiting lines={6} />}
      {data !== undefined && data.items.length === 0 && (
        <Empty title={`No request in the last ${rangeText(range)}`}>
          <p>Usage appears here a few seconds after a gate was asked with a key.</p>
        </Empty>
      )}
      {data !== undefined && data.items.length > 0 && <Overview usage={data} range={range} chosen={chosen} />}
    </>
  );
}

interface OverviewProps {
  readonly usage: Usage;
  readonly range: RangeName;
  readonly chosen: string;
}

function Overview({ usage, range, chosen }: OverviewProps): JSX.Element {
  const items = useMemo(
    () => usage.items.filter(({ group }) => chosen === ALL || group === chosen),
    [usage, chosen],
  );
  const timeline = useMemo(() => timelineOf(usage, items), [usage, items]);
  const total = useMemo((): UsageSums => addedUp(items), [items]);
  const scope = chosen === ALL ? "all environments" : chosen;
  return (
    <>
      <EnvironmentCards usage={usage} chosen={chosen} onChoose={(environment) => amend({ environment })} />
      <section class="card" aria-label={`Requests, ${scope}`}>
        <UsageFigures total={total} />
        <UsageChart timeline={timeline} label={`Usage of ${scope} in the last ${rangeText(range)}`} />
      </section>
      <div class="halves">
        <section class="card" aria-labelledby="top-keys">
          <h2 id="top-keys">Most used keys</h2>
          <TopOf range={range} environment={chosen} />
        </section>
        <section class="card" aria-labelledby="denials">
          <h2 id="denials">Refused, by reason</h2>
          <Denials reasons={total.denied_by_reason} />
        </section>
      </div>
    </>
  );
}

function TopOf({
  range,
  environment,
}: {
  readonly range: RangeName;
  readonly environment: string;
}): JSX.Element {
  const { data, failure, reload } = useLoaded(
    `top ${range} ${environment}`,
    (how) => loadTop(range, environment, how),
    { everyMs: EVERY_MS },
  );
  return (
    <>
      <FailureNotice failure={failure} onRetry={reload} />
      {data === undefined ? failure === undefined && <Waiting /> : <TopKeys keys={data} />}
    </>
  );
}

async function loadTop(
  range: RangeName,
  environment: string,
  how: Pick<Asked, "signal" | "isPoll">,
): Promise<readonly TopKey[]> {
  const { from, step } = queryOf(range, Date.now());
  const filter = environment === ALL ? {} : { environment };
  const usage = await getUsage({ from, step, group_by: "key", top: TOP, ...filter }, how);
  const byKey = Map.groupBy(usage.items, ({ group }) => group);
  const sums = [...byKey].map(([id, items]: [string, UsageItem[]]) => ({ id, sums: addedUp(items) }));
  return await Promise.all(sums.map(async (top) => ({ ...top, view: await namedKey(top.id, how) })));
}

/** Usage outlives keys, and may be of one that this registry never had. */
async function namedKey(id: string, how: Pick<Asked, "signal" | "isPoll">): Promise<Key | undefined> {
  try {
    return await getKey(id, how);
  } catch (failure) {
    if (failure instanceof Failure && failure.code === "not_found") return undefined;
    throw failure;
  }
}
