/** Where a case leaves a choice, what the gate chose: the table in this folder's README. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WireCase } from "./case.ts";
import type { Observation } from "./observe.ts";
import { outcomeOf } from "./verdict.ts";

export interface Choice {
  /** The case allows more than one answer. */
  readonly isFree: boolean;
  /** What the gate did, in words. */
  readonly answer: string;
}

export function choiceOf(clauses: readonly string[], seen: Observation): Choice {
  const isFree = clauses.some((clause) => /^status=.*\|/.test(clause) || clause.startsWith("upstream<="));
  const outcome = outcomeOf(seen);
  const answer = outcome === "close" ? "closed without an answer" : outcome;
  return { isFree, answer: seen.forwarded.length > 0 ? `${answer}, forwarded` : answer };
}

const readme = fileURLToPath(new URL("../README.md", import.meta.url));
const START = "<!-- choices -->";

export function choicesInReadme(): readonly { id: string; answer: string }[] {
  const [, table = ""] = readFileSync(readme, "utf8").split(START);
  return [...table.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, id = "", answer = ""]) => ({
    id,
    answer: answer.trim(),
  }));
}

export function writeChoices(
  cases: readonly WireCase[],
  chosen: readonly { readonly id: string; readonly answer: string }[],
): void {
  const [before = ""] = readFileSync(readme, "utf8").split(START);
  const rows = chosen.map(({ id, answer }) => {
    const note = cases.find((wireCase) => wireCase.id === id)?.note ?? "";
    return `| \`${id}\` | ${answer} | ${note.replaceAll("|", "\\|")} |\n`;
  });
  const head = "| case | the gate's answer | what is sent |\n|---|---|---|\n";
  writeFileSync(readme, `${before}${START}\n\n${head}${rows.join("")}`);
}
