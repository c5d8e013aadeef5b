/** The picture of bench/README.md: what a small request costs, a bar for each rival. */
import { titleOf } from "./rivals.ts";
import { type Results, summaryOf } from "./results.ts";

const WIDTH = 860;
const LABELS = 270;
const BAR = 22;
const GAP = 10;
const TOP = 46;

/** Median as a bar, the range over all rounds as a line across its end. */
export function costPicture(results: Results): string {
  const bars = results.rows
    .filter(({ scenario }) => scenario === "get")
    .flatMap(({ rival }) => {
      const summary = summaryOf(results, "get", rival, "cpu_us");
      return summary === undefined ? [] : [{ rival, ...summary }];
    })
    .toSorted((a, b) => a.median - b.median);
  const highest = Math.max(1, ...bars.map(({ max }) => max));
  const x = (us: number): number => Math.round((us / highest) * (WIDTH - LABELS - 80));
  const height = TOP + bars.length * (BAR + GAP) + 10;
  const parts = bars.map(({ rival, median, min, max }, at) => {
    const y = TOP + at * (BAR + GAP);
    const middle = y + BAR / 2;
    const fill = rival.startsWith("keyward") ? "#0b6e4f" : "#9aa5b1";
    return [
      `<text x="${LABELS - 10}" y="${middle + 5}" text-anchor="end">${escaped(titleOf(rival))}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${x(median)}" height="${BAR}" fill="${fill}"/>`,
      `<path d="M${LABELS + x(min)} ${middle}H${LABELS + x(max)}" stroke="#222" stroke-width="1.5"/>`,
      `<text x="${LABELS + x(max) + 8}" y="${middle + 5}">${median.toFixed(1)}</text>`,
    ].join("\n");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14">
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="26" font-size="16">CPU time of the proxy per small GET, microseconds (median, range of rounds)</text>
${parts.join("\n")}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
