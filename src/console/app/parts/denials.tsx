/** Refusals by reason, the most frequent first. */
import type { JSX } from "preact";
import { percent, reasonText, wholeNumber } from "./wording.ts";

export function Denials({ reasons }: { readonly reasons: Readonly<Record<string, number>> }): JSX.Element {
  const sorted = Object.entries(reasons).toSorted(([, a], [, b]) => b - a);
  const all = sorted.reduce((sum, [, count]) => sum + count, 0);
  const most = sorted[0]?.[1] ?? 1;
  if (sorted.length === 0) return <p class="quiet">Nothing was refused in this time.</p>;
  return (
    <table class="table table-tight">
      <caption class="unseen">Refused requests by reason</caption>
      <thead>
        <tr>
          <th scope="col">Reason</th>
          <th scope="col" class="number">
            Requests
          </th>
          <th scope="col" class="number">
            Share
          </th>
        </tr>
      </thead>
      <tbody>
        {sorted.map(([reason, count]) => (
          <tr key={reason}>
            <th scope="row">
              <span title={reason}>{reasonText(reason)}</span>
              <svg class="share" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 4">
                <rect width={Math.max(1, (count / most) * 100)} height="4" rx="1" />
              </svg>
            </th>
            <td class="number">{wholeNumber(count)}</td>
            <td class="number quiet">{percent(count, all)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
