/** The scopes of a new key: those that other keys have are one press away, any other can be typed. */
import type { JSX } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { listKeys } from "../api/calls.ts";
import { Icon } from "../parts/icon.tsx";
import { announce } from "../state/announcer.ts";
import { useLoaded } from "../state/loaded.ts";

interface ScopeFieldProps {
  readonly scopes: readonly string[];
  readonly onChange: (scopes: readonly string[]) => void;
  readonly fault: string | undefined;
}

const OFFERED_MAX = 16;
const BETWEEN = /[\s,]+/;

export function ScopeField({ scopes, onChange, fault }: ScopeFieldProps): JSX.Element {
  const [text, setText] = useState("");
  const id = useId();
  // A button that was pressed is gone then; the focus must not be.
  const input = useRef<HTMLInputElement>(null);
  const offered = useScopesOfOthers().filter((scope) => !scopes.includes(scope));
  const add = (given: string): void => {
    const wanted = given.split(BETWEEN).filter((scope) => scope !== "");
    if (wanted.length === 0) return;
    onChange([...new Set([...scopes, ...wanted])]);
    setText("");
    announce(`Added ${wanted.join(", ")}`);
  };
  const remove = (scope: string): void => {
    onChange(scopes.filter((other) => other !== scope));
    announce(`Removed ${scope}`);
    input.current?.focus();
  };
  return (
    <div class="field">
      <label for={id}>Scopes</label>
      <div class="scope-box">
        {scopes.map((scope) => (
          <Chosen key={scope} scope={scope} onRemove={() => remove(scope)} />
        ))}
        <input
          ref={input}
          id={id}
          class="bare mono"
          value={text}
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          placeholder={scopes.length === 0 ? "memories:read" : ""}
          aria-describedby={fault === undefined ? `${id}-hint` : `${id}-hint ${id}-fault`}
          aria-invalid={fault !== undefined}
          onInput={(event) => {
            const { value } = event.currentTarget;
            if (BETWEEN.test(value)) add(value);
            else setText(value);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || text === "") return;
            event.preventDefault();
            add(text);
          }}
          onBlur={() => add(text)}
        />
      </div>
      <Offered
        scopes={offered}
        onAdd={(scope) => {
          add(scope);
          input.current?.focus();
        }}
      />
      <p class="hint" id={`${id}-hint`}>
        {scopes.length === 0
          ? "Without scopes it reaches only routes that need none."
          : "Which routes need which scopes is written in the gate's config."}
      </p>
      {fault !== undefined && (
        <p class="fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

/** Of the latest keys. */
function useScopesOfOthers(): readonly string[] {
  const { data } = useLoaded("scopes", (how) => listKeys({}, how));
  const scopes = new Set((data?.items ?? []).flatMap((key) => key.scopes));
  return [...scopes].toSorted().slice(0, OFFERED_MAX);
}

function Chosen({ scope, onRemove }: { readonly scope: string; readonly onRemove: () => void }): JSX.Element {
  return (
    <span class="chip chip-set">
      {scope}
      <button type="button" class="chip-button" aria-label={`Remove scope ${scope}`} onClick={onRemove}>
        <Icon name="close" />
      </button>
    </span>
  );
}

interface OfferedProps {
  readonly scopes: readonly string[];
  readonly onAdd: (scope: string) => void;
}

function Offered({ scopes, onAdd }: OfferedProps): JSX.Element | null {
  if (scopes.length === 0) return null;
  return (
    <div class="chips" role="group" aria-label="Scopes that other keys have">
      {scopes.map((scope) => (
        <button
          key={scope}
          type="button"
          class="chip chip-add"
          aria-label={`Add scope ${scope}`}
          onClick={() => onAdd(scope)}
        >
          <Icon name="plus" />
          {scope}
        </button>
      ))}
    </div>
  );
}
