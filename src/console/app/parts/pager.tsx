/** Back and forth in a list that only knows its next page. Where one is stands in the address. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { goTo } from "../state/route.ts";
import { Icon } from "./icon.tsx";

interface PagerProps {
  readonly label: string;
  /** The part of the console that the list is. */
  readonly section: string;
  readonly query: Readonly<Record<string, string>>;
  /** Cursor of the page after this one; null on the last. */
  readonly next: string | null;
  readonly children?: string;
}

export function Pager({ label, section, query, next, children = "" }: PagerProps): JSX.Element {
  // Cursors lead forth only: back is possible as far as this page came.
  const [trail, setTrail] = useState<readonly string[]>([]);
  const { cursor, ...filters } = query;
  const hasBack = cursor !== undefined && trail.at(-1) === cursor;
  const show = (to: string | undefined, way: readonly string[]): void => {
    setTrail(way);
    goTo([section], { ...filters, cursor: to });
    scrollTo({ top: 0 });
  };
  if (cursor === undefined && next === null) return <p class="pager-text">{children}</p>;
  return (
    <nav class="pager" aria-label={label}>
      <span class="pager-text">{children}</span>
      {cursor !== undefined && (
        <button type="button" class="button" onClick={() => show(undefined, [])}>
          First
        </button>
      )}
      <button
        type="button"
        class="button"
        disabled={!hasBack}
        onClick={() => show(trail.at(-2), trail.slice(0, -1))}
      >
        <Icon name="left" /> Previous
      </button>
      <button
        type="button"
        class="button"
        disabled={next === null}
        onClick={() => next !== null && show(next, hasBack ? [...trail, next] : [next])}
      >
        Next <Icon name="right" />
      </button>
    </nav>
  );
}
