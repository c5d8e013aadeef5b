/** Aligned columns and colours for people. Programs ask for `--json` instead. */
import { styleText } from "node:util";
import type { CommandIo } from "./command.ts";

export type Style = Parameters<typeof styleText>[0];

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

export type Row = readonly (string | Cell)[];

/** `1 fault`, `2 faults`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** Colours belong on a terminal whose owner has not said no (no-color.org). */
export function usesColour({ isTerminal, env }: CommandIo): boolean {
  return isTerminal === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** Rows with their columns aligned, two spaces apart; a column that is empty in every row is left out. */
export function formatTable(rows: readonly Row[], isColoured: boolean): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "string" ? { text: cell } : cell)));
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.text.length ?? 0)),
  );
  return cells
    .map((row) => {
      const shown = row.flatMap((cell, column) => {
        const width = widths[column] ?? 0;
        return width === 0 ? [] : [paint(cell, isColoured) + " ".repeat(width - cell.text.length)];
      });
      return `${shown.join("  ").trimEnd()}\n`;
    })
    .join("");
}

/** Under a header row of its own style; a column without a value below its title is left out. */
export function formatTitledTable(
  titles: readonly string[],
  rows: readonly Row[],
  isColoured: boolean,
): string {
  const used = titles.map((_, column) => rows.some((row) => textOf(row[column]) !== ""));
  const kept = (row: Row): Row => row.filter((_, column) => used[column]);
  const header = kept(titles.map((text) => ({ text, style: "bold" as const })));
  return formatTable([header, ...rows.map(kept)], isColoured);
}

export function paint({ text, style }: Cell, isColoured: boolean): string {
  return isColoured && style !== undefined ? styleText(style, text, { validateStream: false }) : text;
}

function textOf(cell: string | Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}
