/** The head of a page: its title takes the focus when somebody comes here, so that readers begin there. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PageHeadProps {
  readonly title: string;
  /** Beside the title. */
  readonly mark?: ComponentChildren;
  readonly above?: ComponentChildren;
  readonly children?: ComponentChildren;
}

/** The first page keeps the focus where the browser has it. */
let isFirst = true;

export function PageHead({ title, mark, above, children }: PageHeadProps): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirst && document.querySelector("dialog[open]") === null) heading.current?.focus();
    isFirst = false;
  }, []);
  useEffect(() => {
    document.title = `${title} · Keyward`;
  }, [title]);
  return (
    <header class="page-head">
      {above}
      <div class="page-title">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {mark}
        <div class="page-actions">{children}</div>
      </div>
    </header>
  );
}
