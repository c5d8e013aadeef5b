/** The gates that follow this registry: who is there, and how far each has come. */
import type { JSX } from "preact";
import { listGates } from "../api/calls.ts";
import type { Gate, Gates } from "../api/shapes.ts";
import { Badge } from "../parts/badge.tsx";
import { Empty, FailureNotice, Waiting } from "../parts/notice.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { Time } from "../parts/time.tsx";
import { counted, duration, wholeNumber } from "../parts/wording.ts";
import { useLoaded } from "../state/loaded.ts";

const EVERY_MS = 3000;

export function GatesPage(): JSX.Element {
  const { data, failure, reload } = useLoaded("gates", listGates, { everyMs: EVERY_MS });
  return (
    <>
      <PageHead title="Gates" />
      <FailureNotice failure={failure} onRetry={reload} />
      {data === undefined && failure === undefined && <Waiting lines={4} />}
      {data !== undefined && data.items.length > 0 && <GateTable gates={data} />}
      {data?.items.length === 0 && (
        <Empty title="No gate has reported yet">
          <p>
            Point a gate here with <code>keys.registry.url</code> and a gate token (
            <code>keyward registry token create --role gate</code>). It appears as soon as it follows.
          </p>
        </Empty>
      )}
    </>
  );
}

function GateTable({ gates: { items, head } }: { readonly gates: Gates }): JSX.Element {
  const live = items.filter((gate) => gate.live);
  const current = live.filter(({ behind }) => behind === 0);
  return (
    <>
      <p class="lead">
        {counted(live.length, "gate")} connected, {wholeNumber(current.length)} up to date.
        {head !== undefined && (
          <>
            {" "}
            The registry is at revision <b>{wholeNumber(head.rev)}</b>.
          </>
        )}
      </p>
      <table class="table gates">
        <caption class="unseen">Gates that follow this registry</caption>
        <thead>
          <tr>
            <th scope="col">Gate</th>
            <th scope="col">Status</th>
            <th scope="col" class="from-small">
              Version
            </th>
            <th scope="col" class="number from-small">
              Revision
            </th>
            <th scope="col" class="number">
              Lag
            </th>
            <th scope="col" class="number from-small">
              Keys
            </th>
            <th scope="col" class="from-small">
              Last report
            </th>
          </tr>
        </thead>
        <tbody>
          {[...items]
            .toSorted((a, b) => a.gate.localeCompare(b.gate))
            .map((gate) => (
              <tr key={gate.gate}>
                <th scope="row">
                  {gate.gate}
                  <span class="under until-small">
                    {gate.version} · <Time at={gate.seen_at} />
                  </span>
                </th>
                <td>
                  <GateBadge gate={gate} />
                </td>
                <td class="from-small">{gate.version}</td>
                <td class="number from-small">{gate.rev === undefined ? "–" : wholeNumber(gate.rev)}</td>
                <td class="number">{lagText(gate)}</td>
                <td class="number from-small">{wholeNumber(gate.keys)}</td>
                <td class="from-small">
                  <Time at={gate.seen_at} />
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </>
  );
}

function GateBadge({ gate }: { readonly gate: Gate }): JSX.Element {
  if (!gate.live) {
    return (
      <Badge
        tone="quiet"
        icon="clock"
        text="Not heard of"
        title="No report in the last 15 seconds: stopped, or cut off"
      />
    );
  }
  if (gate.behind === undefined) {
    return (
      <Badge
        tone="warn"
        icon="warning"
        text="Starting over"
        title="It follows another history of the registry, or none yet"
      />
    );
  }
  if (gate.behind > 0)
    return <Badge tone="warn" icon="warning" text="Behind" title="It has not applied all changes yet" />;
  return <Badge tone="good" icon="check" text="Up to date" />;
}

function lagText({ live, behind, staleness_ms: stalenessMs }: Gate): string {
  if (!live) return "–";
  if (behind === undefined) return "unknown";
  return behind === 0 ? "none" : `${counted(behind, "change")}, ${duration(stalenessMs)}`;
}
