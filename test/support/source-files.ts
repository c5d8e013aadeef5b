/** The project's own files, for the tests that hold rules about the code itself. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Top folder of the project. */
export const projectRoot: string = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Paths, relative to the project, of the files that git tracks or would track: what is not ignored.
 * Without git (an unpacked archive) there is no such list, and the tests that need it must fail.
 */
export function projectFiles(folder = "."): readonly string[] {
  const output = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder],
    { cwd: projectRoot, encoding: "utf8", maxBuffer: 16 * 1024 * 1024 },
  );
  return output.split("\0").filter((path) => path !== "" && exists(path));
}

/** The text of a project file. */
export function textOf(path: string): string {
  return readFileSync(join(projectRoot, path), "utf8");
}

/** A tracked file may have been removed from the work tree. */
function exists(path: string): boolean {
  try {
    readFileSync(join(projectRoot, path));
    return true;
  } catch {
    return false;
  }
}
