/** Fields of forms: a visible label, a hint, and what is wrong, tied together for screen readers. */
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface Texts {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with the value. */
  readonly fault?: string | undefined;
  readonly isOptional?: boolean;
}

interface Ids {
  readonly id: string;
  readonly "aria-describedby"?: string;
  readonly "aria-invalid"?: true;
}

function Labelled({
  label,
  hint,
  fault,
  isOptional = false,
  children,
}: Texts & { readonly children: (ids: Ids) => ComponentChildren }): JSX.Element {
  const id = useId();
  const described = [hint !== undefined && `${id}-hint`, fault !== undefined && `${id}-fault`].filter(
    Boolean,
  );
  const ids = {
    id,
    ...(described.length > 0 && { "aria-describedby": described.join(" ") }),
    ...(fault !== undefined && { "aria-invalid": true as const }),
  };
  return (
    <div class="field">
      <label for={id}>
        {label} {isOptional && <span class="quiet">optional</span>}
      </label>
      {children(ids)}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault !== undefined && (
        <p class="fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

interface TextFieldProps extends Texts {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly type?: "text" | "password" | "date" | "search";
  readonly suggestions?: readonly string[];
  readonly isRequired?: boolean;
  readonly isMono?: boolean;
  readonly autoComplete?: string;
  readonly placeholder?: string;
  readonly min?: string;
  /** Takes the focus when its dialog opens. */
  readonly isFirst?: boolean;
}

export function TextField(props: TextFieldProps): JSX.Element {
  const { value, onChange, type = "text", suggestions = [], isRequired = false, isMono = false } = props;
  const listId = useId();
  // The types of JSX want each kind of input apart.
  const attributes = {
    type,
    placeholder: props.placeholder,
    min: props.min,
    list: suggestions.length > 0 ? listId : undefined,
  } as JSX.IntrinsicElements["input"];
  return (
    <Labelled {...props}>
      {(ids) => (
        <>
          <input
            {...attributes}
            {...ids}
            class={isMono ? "input mono" : "input"}
            value={value}
            required={isRequired}
            autoComplete={props.autoComplete ?? "off"}
            autoCapitalize="off"
            spellcheck={false}
            autoFocus={props.isFirst}
            onInput={(event) => onChange(event.currentTarget.value)}
          />
          {suggestions.length > 0 && (
            <datalist id={listId}>
              {suggestions.map((suggestion) => (
                <option key={suggestion} value={suggestion} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Labelled>
  );
}

export interface Choice {
  readonly value: string;
  readonly text: string;
}

interface CheckFieldProps {
  readonly label: ComponentChildren;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}

export function CheckField({ label, isChecked, onChange }: CheckFieldProps): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={isChecked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}
