/** One card per environment, so that live and test are never added up unseen; choosing one filters the page. */
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import type { Usage } from "../api/shapes.ts";
import { percent, shortNumber } from "../parts/wording.ts";
import { addedUp } from "../state/sums.ts";

interface CardsProps {
  readonly usage: Usage;
  readonly chosen: string;
  readonly onChoose: (environment: string) => void;
}

export function EnvironmentCards({ usage, chosen, onChoose }: CardsProps): JSX.Element {
  const name = useId();
  const groups = [...Map.groupBy(usage.items, ({ group }) => group)].filter(([group]) => group !== "");
  const sorted = groups.toSorted(([a], [b]) => a.localeCompare(b));
  const all = [["", usage.items] as const, ...sorted];
  return (
    <fieldset class="cards">
      <legend class="unseen">Environment</legend>
      {all.map(([environment, items]) => {
        const { requests, denied, errors } = addedUp(items);
        return (
          <label key={environment} class="card card-choice">
            <input
              type="radio"
              name={name}
              checked={environment === chosen}
              onChange={() => onChoose(environment)}
            />
            <span class="card-name">{environment === "" ? "All environments" : environment}</span>
            <span class="card-number">{shortNumber(requests + denied)}</span>
            <span class="card-note">
              requests, {percent(denied, requests + denied)} refused, {percent(errors, requests + denied)}{" "}
              errors
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
