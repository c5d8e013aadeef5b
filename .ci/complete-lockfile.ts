/**
 * Writes the lock file entries of packages for other platforms that the registry at hand did not
 * offer. npm 11 refuses `npm ci` when a platform's optional package has no entry ("Missing: … from
 * lock file"), and a registry mirror that holds only what its own machines need makes npm leave
 * them out. The version is the one that the parent pins; only the integrity stays unknown.
 *
 * Without --write it only names what is missing and exits 1 (part of `npm run check`).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface LockEntry {
  readonly version?: string;
  readonly cpu?: readonly string[];
  readonly dev?: boolean;
  readonly libc?: readonly string[];
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  packages: Record<string, LockEntry>;
}

const OS = /(?:^|[-.])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)(?=-|$)/;
const CPU = /(?:^|[-.])(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|wasm32|x64)(?=-|$)/;
const LIBC = /(musl|gnu)/;
const EXACT = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** Where Node would find `name` when asked from `parent`: nearest node_modules first. */
function locate(packages: LockFile["packages"], parent: string, name: string): string | undefined {
  for (
    let folder = parent;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))
  ) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

function entryFor(name: string, version: string, isDev: boolean): LockEntry {
  if (!EXACT.test(version)) throw new Error(`${name}@${version}: only exact versions can be completed`);
  const os = OS.exec(name)?.[1];
  const cpu = CPU.exec(name)?.[1];
  if (cpu === undefined) throw new Error(`${name}: the name does not tell the platform`);
  // Without its libc npm would install the musl build next to the glibc build.
  const libc = os === "linux" ? LIBC.exec(name)?.[1] : undefined;
  return {
    version,
    cpu: [cpu],
    ...(isDev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc === "musl" ? "musl" : "glibc"] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}

const file = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(file, "utf8")) as LockFile;
const missing = new Map<string, LockEntry>();
for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (locate(lock.packages, parent, name) !== undefined) continue;
    missing.set(`node_modules/${name}`, entryFor(name, version, entry.dev === true));
  }
}

if (missing.size > 0 && process.argv.includes("--write")) {
  const [root, ...others] = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  // npm keeps the entries in this order, so that the next install makes no noise in the diff.
  const sorted = others.toSorted(([a], [b]) => a.localeCompare(b, "en"));
  lock.packages = Object.fromEntries([...(root === undefined ? [] : [root]), ...sorted]);
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
} else if (missing.size > 0) {
  process.exitCode = 1;
}
for (const path of missing.keys()) console.log(path.slice("node_modules/".length));
