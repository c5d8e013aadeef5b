/** Results for people: tables on a terminal, and bench/README.md with its picture. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { costPicture } from "./picture.ts";
import { scenarios } from "./scenarios.ts";
import { titleOf } from "./rivals.ts";
import { type Results, type Summary, summaryOf } from "./results.ts";

const FIGURES = [
  { name: "cpu_us", title: "CPU µs", digits: 1 },
  { name: "cpu_beside_flood_us", title: "CPU µs beside flood", digits: 1 },
  { name: "busiest_us", title: "µs of busiest process", digits: 1 },
  { name: "per_second", title: "per second", digits: 0 },
  { name: "p50_us", title: "p50 µs", digits: 0 },
  { name: "p50_beside_flood_us", title: "p50 µs beside flood", digits: 0 },
  { name: "p99_us", title: "p99 µs", digits: 0 },
  { name: "p99_beside_flood_us", title: "p99 µs beside flood", digits: 0 },
  { name: "start_ms", title: "start ms", digits: 0 },
  { name: "cpu_ms", title: "CPU ms", digits: 0 },
  { name: "rss_mib", title: "RSS MiB", digits: 0 },
];

/** Head and rows of one scenario; a cell is the median, and for CPU its range. */
export function tableOf(results: Results, scenario: string): readonly (readonly string[])[] {
  const rows = results.rows.filter((row) => row.scenario === scenario);
  const figures = FIGURES.filter(({ name }) => rows.some(({ rounds }) => rounds.some((one) => name in one)));
  return [
    ["", ...figures.map(({ title }) => title)],
    ...rows.map(({ rival }) => [
      titleOf(rival),
      ...figures.map(({ name, digits }) =>
        cell(summaryOf(results, scenario, rival, name), digits, name === "cpu_us"),
      ),
    ]),
  ];
}

function cell(summary: Summary | undefined, digits: number, hasRange: boolean): string {
  if (summary === undefined) return "";
  const text = summary.median.toFixed(digits);
  return hasRange ? `${text} (${summary.min.toFixed(digits)}–${summary.max.toFixed(digits)})` : text;
}

export function print(results: Results): void {
  for (const { name, title } of scenarios) {
    const table = tableOf(results, name);
    if (table.length === 1) continue;
    console.log(`\n${name}: ${title}`);
    const widths = table[0]?.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0))) ?? [];
    for (const row of table) {
      console.log(
        row
          .map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)))
          .join("  "),
      );
    }
  }
  for (const why of results.leftOut) console.log(`left out: ${why}`);
}

const BEGIN = "<!-- results: written by `npm run bench -- --readme` -->";
const END = "<!-- end of results -->";

/** Puts tables and picture into the file, in place of the last ones. */
export function writeReadme(results: Results, folder: string, resultsFile: string): void {
  const file = join(folder, "README.md");
  const text = readFileSync(file, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${file} has no place for results`);
  writeFileSync(file, `${before}${BEGIN}\n\n${markdownOf(results, resultsFile)}\n${END}${after}`);
  writeFileSync(join(folder, "cost.svg"), costPicture(results));
}

function markdownOf(results: Results, resultsFile: string): string {
  const { machine, versions, options } = results;
  const [before, after] = machine.loadAverage.map((load) => load.toFixed(1));
  const named = Object.entries(versions).map(([name, is]) => `${name} ${is}`);
  const lines = [
    `Measured ${results.made.slice(0, 10)} at commit ${results.commit}: ${machine.cores} cores of ${machine.cpu}, Linux`,
    `${machine.kernel}, ${machine.pinned ? "proxy pinned to one core, load and backend to the other" : "nothing pinned"};`,
    `load average ${before} before and ${after} after (the bench itself makes up to 2; more is neighbours).`,
    `${options.rounds} rounds of ${options.seconds} s, in turns. Backend: ${results.backend}; load: ${results.load}.`,
    `${named.join(", ")}. All rounds: [${resultsFile}](${resultsFile}).`,
    ...(results.notes ?? []),
    "",
    "![CPU time per request](cost.svg)",
  ];
  for (const { name, title, per } of scenarios) {
    const [head, ...rows] = tableOf(results, name);
    if (head === undefined || rows.length === 0) continue;
    const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    lines.push("", `**${title}** (\`${name}\`, per ${per})`, "", row(head));
    lines.push(row(head.map((_, at) => (at === 0 ? "---" : "---:"))), ...rows.map(row));
  }
  if (results.leftOut.length > 0) lines.push("", ...results.leftOut.map((why) => `Left out: ${why}.  `));
  return `${lines.join("\n")}\n`;
}
