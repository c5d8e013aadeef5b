/** Back and forth in a list that only knows its next page. */
import type { JSX } from "preact";
import { Icon } from "./icon.tsx";

interface PagerProps {
  readonly label: string;
  readonly isFirst: boolean;
  readonly hasNext: boolean;
  readonly onFirst: () => void;
  readonly onBack: (() => void) | undefined;
  readonly onNext: () => void;
  readonly children?: string;
}

export function Pager(props: PagerProps): JSX.Element | null {
  const { label, isFirst, hasNext, onFirst, onBack, onNext } = props;
  if (isFirst && !hasNext)
    return props.children === undefined ? null : <p class="pager-text">{props.children}</p>;
  return (
    <nav class="pager" aria-label={label}>
      <span class="pager-text">{props.children}</span>
      {!isFirst && (
        <button type="button" class="button" onClick={onFirst}>
          First
        </button>
      )}
      <button type="button" class="button" disabled={onBack === undefined} onClick={onBack}>
        <Icon name="left" /> Previous
      </button>
      <button type="button" class="button" disabled={!hasNext} onClick={onNext}>
        Next <Icon name="right" />
      </button>
    </nav>
  );
}
