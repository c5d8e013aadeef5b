/** The wire cases as data: read, never run here. What a field means stands in test/wire/README.md. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface WireCase {
  readonly id: string;
  readonly category: string;
  readonly kind: "wire" | "upstream" | "scenario";
  /** `wire`: what the client sends. `upstream`: what the upstream sends. With macros. */
  readonly raw: string;
  readonly expect: string;
  readonly note: string;
  readonly source: string;
}

const folder = fileURLToPath(new URL("..", import.meta.url));

function read(file: string): readonly WireCase[] {
  return JSON.parse(readFileSync(file, "utf8")) as readonly WireCase[];
}

/** The set that came from outside, as it came. */
export const givenCases: readonly WireCase[] = read(`${folder}cases.json`);

/** The project's own, by category: siblings of given ones and what was found by fuzzing. */
export const ownCases: readonly WireCase[] = readdirSync(`${folder}own-cases`)
  .toSorted()
  .flatMap((name) => read(`${folder}own-cases/${name}`));

export function casesOf(kind: WireCase["kind"]): readonly WireCase[] {
  return [...givenCases, ...ownCases].filter((wireCase) => wireCase.kind === kind);
}
