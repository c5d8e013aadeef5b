/**
 * Imports in src/ go downward or stay in their folder; neighbours on one layer never meet. The map
 * is the table of ARCHITECTURE.md.
 */
import { posix } from "node:path";
import { expect, test } from "vitest";
import { projectFiles, textOf } from "../support/source-files.ts";

/** Folder (or file) of src/ → layer. Folders on the same layer may not import each other. */
const LAYERS: Readonly<Record<string, number>> = {
  cli: 5,
  "main.ts": 5,
  "keyward.js": 5,
  observe: 4,
  gate: 3,
  registry: 3,
  config: 2,
  keys: 2,
  errors: 1,
  document: 1,
  base: 0,
};

/** Composition root: these two and cli/ are one room. */
const ROOT_ROOM = new Set(["cli", "main.ts", "keyward.js"]);

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]+)"/g;

interface Import {
  readonly from: string;
  readonly to: string;
}

/** `src/gate/decide.ts` → `gate`; `src/main.ts` → `main.ts`. */
function roomOf(path: string): string {
  return path.split("/")[1] ?? path;
}

function importsOf(path: string): readonly Import[] {
  return [...textOf(path).matchAll(IMPORT)].map((match) => ({
    from: path,
    to: posix.join(posix.dirname(path), match[1] ?? ""),
  }));
}

function faultOf({ from, to }: Import): string | undefined {
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)];
  // Browser files, outside the graph; only the composition roots may have them built.
  if (to === "src/console/build.ts" && ROOT_ROOM.has(fromRoom)) return undefined;
  if (!to.startsWith("src/")) return `${from} imports ${to}: outside src`;
  if (fromRoom === toRoom || (ROOT_ROOM.has(fromRoom) && ROOT_ROOM.has(toRoom))) return undefined;
  const [fromLayer, toLayer] = [LAYERS[fromRoom], LAYERS[toRoom]];
  if (fromLayer === undefined || toLayer === undefined) return `${from} imports ${to}: no layer known`;
  if (fromLayer > toLayer) return undefined;
  return `${from} (layer ${fromLayer}) imports ${to} (layer ${toLayer})`;
}

const sources = projectFiles("src").filter(
  (path) => /\.[jt]s$/.test(path) && !path.startsWith("src/console/"),
);

test("every file of src/ belongs to a layer", () => {
  expect(sources.length).toBeGreaterThan(0);
  expect(sources.filter((path) => LAYERS[roomOf(path)] === undefined)).toEqual([]);
});

test("imports go downward or stay inside their folder", () => {
  const imports = sources.flatMap(importsOf);
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.map(faultOf).filter((fault) => fault !== undefined)).toEqual([]);
});

test("only the composition roots read the environment, the arguments or end the process", () => {
  const reads = /\bprocess\.(env|argv|exit|exitCode|on|kill)\b/;
  const offenders = sources.filter((path) => !ROOT_ROOM.has(roomOf(path)) && reads.test(textOf(path)));
  expect(offenders).toEqual([]);
});

/** File → why it may read the clock itself. */
const READS_CLOCK: Readonly<Record<string, string>> = {
  "src/base/clock.ts": "it is the clock",
  "src/observe/log-destination.ts":
    "how long it blocks on a pipe is real time, whatever time a test says it is",
};

test("nothing below the composition roots reads the clock itself", () => {
  const reads = /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/;
  const offenders = sources.filter(
    (path) => !ROOT_ROOM.has(roomOf(path)) && READS_CLOCK[path] === undefined && reads.test(textOf(path)),
  );
  expect(offenders).toEqual([]);
});
