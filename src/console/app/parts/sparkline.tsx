/** A day of a key in the height of a line: bars of requests, the refused part on top of them. */
import type { JSX } from "preact";
import type { UsageItem } from "../api/shapes.ts";
import { counted } from "./wording.ts";

const BARS = 24;
const BAR_WIDTH = 3;
const GAP = 1;
const HEIGHT = 20;

/** Of one key, absent hours left out, as the API answers it. */
export function Sparkline({
  items,
  fromMs,
}: {
  readonly items: readonly UsageItem[];
  readonly fromMs: number;
}): JSX.Element {
  const bars = Array.from({ length: BARS }, () => ({ good: 0, bad: 0 }));
  let requests = 0;
  let denied = 0;
  let errors = 0;
  for (const item of items) {
    requests += item.requests;
    denied += item.denied;
    errors += item.errors;
    const bar = bars[Math.floor((Date.parse(item.at) - fromMs) / 3_600_000)];
    if (bar === undefined) continue;
    bar.good += item.requests - item.errors;
    bar.bad += item.denied + item.errors;
  }
  const highest = Math.max(1, ...bars.map(({ good, bad }) => good + bad));
  const scale = (count: number): number => (count === 0 ? 0 : Math.max(1, (count / highest) * (HEIGHT - 2)));
  const text = [counted(requests, "request"), `${denied} refused`, counted(errors, "error")].join(", ");
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${BARS * (BAR_WIDTH + GAP)} ${HEIGHT}`}
      role="img"
      aria-label={`Last 24 hours: ${text}`}
    >
      <title>{text}</title>
      <path class="spark-base" d={`M0 ${HEIGHT - 0.5}H${BARS * (BAR_WIDTH + GAP)}`} />
      {bars.map(({ good, bad }, index) => {
        const [low, high] = [scale(good), scale(bad)];
        const x = index * (BAR_WIDTH + GAP);
        return (
          <g key={index}>
            {low > 0 && <rect class="spark-good" x={x} y={HEIGHT - 1 - low} width={BAR_WIDTH} height={low} />}
            {high > 0 && (
              <rect
                class="spark-bad"
                x={x}
                y={Math.max(0, HEIGHT - 1 - low - high)}
                width={BAR_WIDTH}
                height={high}
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}
