/** The keys with most requests; sorted by the column that somebody chose. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Key, UsageSums } from "../api/shapes.ts";
import { Icon } from "../parts/icon.tsx";
import { keyText, ownerText } from "../parts/owner.tsx";
import { columnNumber, wholeNumber } from "../parts/wording.ts";
import { hrefOf } from "../state/route.ts";

export interface TopKey {
  readonly id: string;
  readonly view: Key | undefined;
  readonly sums: UsageSums;
}

const COLUMNS = [
  { name: "requests", text: "Requests", of: ({ requests, denied }: UsageSums) => requests + denied },
  { name: "denied", text: "Refused", of: ({ denied }: UsageSums) => denied },
  { name: "errors", text: "Errors", of: ({ errors }: UsageSums) => errors },
] as const;

type ColumnName = (typeof COLUMNS)[number]["name"];

export function TopKeys({ keys }: { readonly keys: readonly TopKey[] }): JSX.Element {
  const [sorting, setSorting] = useState<{ readonly by: ColumnName; readonly isUp: boolean }>({
    by: "requests",
    isUp: false,
  });
  if (keys.length === 0) return <p class="quiet">No key was used in this time.</p>;
  const column = COLUMNS.find(({ name }) => name === sorting.by) ?? COLUMNS[0];
  const sign = sorting.isUp ? 1 : -1;
  const sorted = keys.toSorted((a, b) => sign * (column.of(a.sums) - column.of(b.sums)));
  return (
    <table class="table table-tight">
      <caption class="unseen">Most used keys. The column heads sort.</caption>
      <thead>
        <tr>
          <th scope="col">Key</th>
          {COLUMNS.map(({ name, text }) => {
            const isBy = sorting.by === name;
            return (
              <th
                key={name}
                scope="col"
                class="number"
                aria-sort={isBy ? (sorting.isUp ? "ascending" : "descending") : undefined}
              >
                <button
                  type="button"
                  class="sort"
                  onClick={() => setSorting({ by: name, isUp: isBy && !sorting.isUp })}
                >
                  {text}
                  {isBy && <Icon name={sorting.isUp ? "up" : "down"} />}
                </button>
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody>
        {sorted.map(({ id, view, sums }) => (
          <tr key={id}>
            <th scope="row">
              {view === undefined ? (
                <span class="mono">{id}</span>
              ) : (
                <a href={hrefOf(["keys", id])}>{keyText(view)}</a>
              )}
              <span class="under">
                {view === undefined
                  ? "unknown here"
                  : [ownerText(view.organization), view.environment].filter(Boolean).join(" · ")}
              </span>
            </th>
            {COLUMNS.map(({ name, of }) => (
              <td key={name} class="number" title={wholeNumber(of(sums))}>
                {columnNumber(of(sums))}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
