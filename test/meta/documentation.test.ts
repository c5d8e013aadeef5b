/** Pages of the project name what is there: links, code maps, npm scripts, refusals, metrics. */
import { globSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { denialKinds } from "../../src/errors/catalogue.ts";
import { upstreamErrorKinds } from "../../src/gate/upstream-error.ts";
import { gateMetricKinds } from "../../src/observe/metric-catalogue.ts";
import { registryMetricKinds } from "../../src/observe/registry-catalogue.ts";
import { projectFiles, projectRoot, textOf } from "../support/source-files.ts";

const files = projectFiles();
const pages = files.filter((path) => path.endsWith(".md"));

/** Without what is quoted: nobody can click there. */
function proseOf(page: string): string {
  return textOf(page)
    .replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "")
    .replaceAll(/`[^`\n]*`/g, "code");
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = textOf(page)
    .replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "")
    .matchAll(/^#{1,6} (.+)$/gm);
  const anchors = [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/\]\([^)]*\)/g, "")
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
  return new Set(anchors);
}

const links = pages.flatMap((page) =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => ({ page, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target)),
);

/** A folder is there when it holds a file that git keeps. */
function isThere(path: string): boolean {
  return files.includes(path) || files.some((file) => file.startsWith(`${path}/`));
}

test("every relative link of every page leads to a file, and to a heading in it", () => {
  expect(links.length).toBeGreaterThan(30);
  const broken = links.filter(({ page, target }) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : posix.join(posix.dirname(page), path).replace(/\/$/, "");
    return !isThere(file) || (anchor !== undefined && !anchorsOf(file).has(anchor));
  });
  expect(broken).toEqual([]);
});

test("every npm script that a page names is there, and every script stands on a page", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  const text = pages.map(textOf).join("\n");
  const named = [...text.matchAll(/\bnpm run (?:-s )?([a-z][\w:]*)/g)].map(([, name = ""]) => name);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  // npm itself calls these.
  const own = Object.keys(scripts).filter((name) => !["start", "test", "postinstall"].includes(name));
  expect(own.filter((name) => !new RegExp(`[\` ]${name}[\` \n]`).test(text))).toEqual([]);
});

test("the runbook names refusals, metrics and kinds of error that there are", () => {
  const runbook = textOf("config/RUNBOOK.md");
  const kinds = [...runbook.matchAll(/\bkind="(\w+)"/g)].map(([, kind = ""]) => kind);
  expect(kinds.length).toBeGreaterThan(0);
  expect(upstreamErrorKinds).toEqual(expect.arrayContaining(kinds));
  const refusals = [...runbook.matchAll(/`((?:key|upstream|registry|scope|route|environment)_[a-z]+)`/g)];
  const codes = refusals.map(([, code = ""]) => code);
  expect(codes.length).toBeGreaterThan(5);
  expect(Object.keys(denialKinds)).toEqual(expect.arrayContaining(codes));
  const metrics = [...runbook.matchAll(/\b(keyward_[a-z_]+)/g)].map(([, name = ""]) => name);
  const known = [...gateMetricKinds, ...registryMetricKinds].map(({ name }) => name as string);
  expect(known).toEqual(expect.arrayContaining(metrics));
});

const architecture = textOf("ARCHITECTURE.md");
const maps = [...architecture.matchAll(/^## Code map: `([^`]+)`.*\n([\s\S]*?)(?=^## )/gm)].map(
  ([, folder = "", body = ""]) => ({ folder, body }),
);

/** What the first column of a map names, as paths; `a-*.ts` and `folder/` stand for many. */
function mapped({ folder, body }: (typeof maps)[number]): readonly string[] {
  const cells = [...body.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = ""]) => cell);
  const names = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
  return names.map((name) => posix.join(folder, name));
}

test.for(maps)("every file in ARCHITECTURE's map of $folder is there", (map) => {
  const paths = mapped(map);
  expect(paths.length).toBeGreaterThan(3);
  const missing = paths.filter((path) =>
    path.endsWith("/") ? !isThere(path.slice(0, -1)) : globSync(path, { cwd: projectRoot }).length === 0,
  );
  expect(missing).toEqual([]);
});

test("ARCHITECTURE tells what each folder of src/ is for", () => {
  const sources = files.filter((path) => path.startsWith("src/"));
  const folders = [...new Set(sources.map((path) => posix.dirname(path)))].filter((path) => path !== "src");
  const told = maps.flatMap((map) => [`${map.folder}/`, ...mapped(map)]);
  // The console's rooms stand in one row with their house.
  const rooms = [...architecture.matchAll(/`(\w+)\/`/g)].map(([, room = ""]) => `src/console/app/${room}`);
  const isTold = (folder: string): boolean =>
    told.some((path) => path === `${folder}/` || path.startsWith(`${folder}/`)) || rooms.includes(folder);
  expect(folders.filter((folder) => !isTold(folder))).toEqual([]);
});

test("every file that ARCHITECTURE, CONTRIBUTING and README name by its path is there", () => {
  const named = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"].flatMap((page) =>
    [...textOf(page).matchAll(/`((?:src|test|config|bench|helm|\.ci)\/[\w./-]+)`/g)].map(
      ([, path = ""]) => path,
    ),
  );
  expect(named.length).toBeGreaterThan(20);
  const found = (path: string): boolean =>
    isThere(path.replace(/\/$/, "")) || files.includes(`${path}.ts`) || files.includes(`${path}.test.ts`);
  expect(named.filter((path) => !found(path))).toEqual([]);
});
