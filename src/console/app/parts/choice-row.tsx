/** One of a few, all in sight: ranges, presets. Radio buttons in a row. */
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import type { Choice } from "./field.tsx";

interface ChoiceRowProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly Choice[];
  readonly onChange: (value: string) => void;
  /** Its label stands above it. */
  readonly hasLabel?: boolean;
  /** Takes the focus when its dialog opens. */
  readonly isFirst?: boolean;
}

export function ChoiceRow({
  label,
  value,
  choices,
  onChange,
  hasLabel = false,
  isFirst = false,
}: ChoiceRowProps): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choice-row">
      <legend class={hasLabel ? "" : "unseen"}>{label}</legend>
      <div class="choices">
        {choices.map((choice) => (
          <label key={choice.value} class="choice">
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              autoFocus={isFirst && choice.value === value}
              onChange={() => onChange(choice.value)}
            />
            <span>{choice.text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
