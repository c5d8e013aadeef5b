/**
 * Makes the console's files out of `app/`: one script, one style sheet, an icon and the page that
 * names them. Runs in Node, in memory; as a program it writes them to a folder (`npm run
 * build:console`), for images that ship without esbuild. Knows nothing of who serves them.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ConsoleFile {
  /** Relative to the console's own path; what is under `assets/` has a hash in its name. */
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface ConsoleBuild {
  readonly files: readonly ConsoleFile[];
}

const appFolder = fileURLToPath(new URL("app/", import.meta.url));
const SCRIPT_TYPE = "text/javascript; charset=utf-8";
const STYLE_TYPE = "text/css; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

/** Bundles the console. The same sources give the same bytes. */
export async function buildConsole(): Promise<ConsoleBuild> {
  const [script, style] = await bundle();
  const icon = named("icon", ".svg", "image/svg+xml", await readFile(join(appFolder, "icon.svg")));
  const licenses = named("licenses", ".txt", TEXT_TYPE, Buffer.from(await licenseTexts()));
  const page = Buffer.from(pageOf(script.path, style.path, icon.path));
  const index = { path: "index.html", contentType: "text/html; charset=utf-8", bytes: page };
  return { files: [index, script, style, icon, licenses] };
}

async function bundle(): Promise<readonly [script: ConsoleFile, style: ConsoleFile]> {
  // Only here: an installation with a prebuilt console has no esbuild.
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: appFolder,
    entryPoints: { console: "main.tsx", style: "style/main.css" },
    outdir: ".",
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["es2023", "chrome123", "firefox120", "safari17.5"],
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
  });
  const find = (ending: string): Uint8Array => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending));
    if (file === undefined) throw new Error(`the console's bundle has no ${ending}`);
    return file.contents;
  };
  return [
    named("console", ".js", SCRIPT_TYPE, find("console.js")),
    named("console", ".css", STYLE_TYPE, find("style.css")),
  ];
}

const HASH_LENGTH = 12;

function named(name: string, ending: string, contentType: string, bytes: Uint8Array): ConsoleFile {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, HASH_LENGTH);
  return { path: `assets/${name}-${hash}${ending}`, contentType, bytes };
}

/** Only relative URLs: the console works behind any path prefix. */
function pageOf(script: string, style: string, icon: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Keyward</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="${icon}">
<link rel="stylesheet" href="${style}">
<script type="module" src="${script}"></script>
</head>
<body>
<div id="app"></div>
<noscript><p class="noscript">The console needs JavaScript. The <code>keyward keys</code> command does the same without.</p></noscript>
</body>
</html>
`;
}

/** The bundle holds code of others; its licenses ask to be named with it. */
async function licenseTexts(): Promise<string> {
  const texts = ["preact", "uplot"].map(async (name) => {
    const file = fileURLToPath(import.meta.resolve(`${name}/package.json`));
    return `${name}\n\n${await readFile(join(dirname(file), "LICENSE"), "utf8")}`;
  });
  return (await Promise.all(texts)).join("\n\n");
}

async function write(folder: string): Promise<void> {
  const { files } = await buildConsole();
  await rm(folder, { recursive: true, force: true });
  for (const { path, bytes } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
}

if (import.meta.main) await write(fileURLToPath(new URL("../../dist/console", import.meta.url)));
