/** Scopes as small labels; of many, the first few and how many more. */
import type { JSX } from "preact";

interface ScopesProps {
  readonly scopes: readonly string[];
  readonly most?: number;
}

export function Scopes({ scopes, most = Infinity }: ScopesProps): JSX.Element {
  if (scopes.length === 0) return <span class="quiet">None</span>;
  const shown = scopes.slice(0, scopes.length > most ? most : undefined);
  const rest = scopes.slice(shown.length);
  return (
    <span class="chips">
      {shown.map((scope) => (
        <span key={scope} class="chip">
          {scope === "*" ? "* (everything)" : scope}
        </span>
      ))}
      {rest.length > 0 && (
        <span class="chip chip-more" title={rest.join(", ")}>
          +{rest.length} <span class="unseen">more: {rest.join(", ")}</span>
        </span>
      )}
    </span>
  );
}
