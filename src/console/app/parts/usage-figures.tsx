/** Usage in four numbers. */
import type { JSX } from "preact";
import type { UsageSums } from "../api/shapes.ts";
import { bytes, percent, shortNumber, wholeNumber } from "./wording.ts";

export function UsageFigures({ total }: { readonly total: UsageSums }): JSX.Element {
  const all = total.requests + total.denied;
  return (
    <dl class="figures">
      <Figure
        name="Served"
        value={total.requests - total.errors}
        note={
          all === 0 ? "no requests" : `${percent(total.requests - total.errors, all)} of ${shortNumber(all)}`
        }
      />
      <Figure name="Refused" value={total.denied} note={percent(total.denied, all)} />
      <Figure name="Errors" value={total.errors} note={percent(total.errors, all)} />
      <div class="figure">
        <dt>Transferred</dt>
        <dd>{bytes(total.bytes_in + total.bytes_out)}</dd>
        <dd class="figure-note">
          {bytes(total.bytes_in)} in, {bytes(total.bytes_out)} out
        </dd>
      </div>
    </dl>
  );
}

function Figure({
  name,
  value,
  note,
}: {
  readonly name: string;
  readonly value: number;
  readonly note: string;
}): JSX.Element {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd title={wholeNumber(value)}>{shortNumber(value)}</dd>
      <dd class="figure-note">{note}</dd>
    </div>
  );
}
