/** What one key did, by outcome, over the chosen time. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { getKeyUsage } from "../api/calls.ts";
import { UsageChart } from "../parts/chart.tsx";
import { ChoiceRow } from "../parts/choice-row.tsx";
import { Denials } from "../parts/denials.tsx";
import { FailureNotice, Waiting } from "../parts/notice.tsx";
import { UsageFigures } from "../parts/usage-figures.tsx";
import { useLoaded } from "../state/loaded.ts";
import { queryOf, rangeChoices, rangeNamed, rangeText, timelineOf } from "../state/range.ts";
import { amend } from "../state/route.ts";

const EVERY_MS = 10_000;

export function KeyUsage({
  id,
  range,
}: {
  readonly id: string;
  readonly range: string | undefined;
}): JSX.Element {
  const name = rangeNamed(range);
  const { data, failure, reload } = useLoaded(
    `usage ${id} ${name}`,
    (how) => getKeyUsage(id, queryOf(name, Date.now()), how),
    { everyMs: EVERY_MS },
  );
  const timeline = useMemo(() => (data === undefined ? undefined : timelineOf(data, data.items)), [data]);
  return (
    <section aria-labelledby="usage">
      <div class="section-head">
        <h2 id="usage">Usage</h2>
        <ChoiceRow
          label="Time"
          value={name}
          choices={rangeChoices}
          onChange={(value) => amend({ range: value })}
        />
      </div>
      <FailureNotice failure={failure} onRetry={reload} />
      {data === undefined || timeline === undefined ? (
        failure === undefined && <Waiting lines={5} />
      ) : (
        <div class="usage-grid">
          <div class="card">
            <UsageFigures total={data.total} />
            <UsageChart timeline={timeline} label={`Usage of this key in the last ${rangeText(name)}`} />
          </div>
          <div class="card">
            <h3>Refused, by reason</h3>
            <Denials reasons={data.total.denied_by_reason} />
          </div>
        </div>
      )}
    </section>
  );
}
