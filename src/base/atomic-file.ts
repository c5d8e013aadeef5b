/**
 * Writing a file whole or not at all: a reader, or a machine that loses power, sees the old text or
 * the new text, never a part. Knows nothing of what is written.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, lstat, open, readlink, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** Mode of a file that did not exist. */
const MODE_NEW = 0o600;

export interface WrittenFile {
  /** Permission bits that were taken away from an existing file; 0 as a rule. */
  readonly modeTaken: number;
}

/**
 * Replaces the file's text. A new file gets mode 0600. An existing one keeps its owner and is never
 * opened wider: what "others" may do is taken away.
 * @param path a symbolic link is followed: the file that it names is replaced, not the link
 * @param text whole, or in parts, of which the next is asked for when the one before is written
 */
export async function writeFileAtomically(
  path: string,
  text: string | Iterable<string>,
): Promise<WrittenFile> {
  const target = await followLinks(path);
  const folder = dirname(target);
  const before = await statIfAny(target);
  // In the same folder, because a rename across file systems is a copy.
  const temporary = join(folder, `.${basename(target)}.${randomUUID()}.tmp`);
  const file = await open(temporary, "wx", MODE_NEW);
  try {
    try {
      await file.writeFile(text, "utf8");
      if (before !== undefined) await keepOwnerAndMode(file, before);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
  return { modeTaken: before === undefined ? 0 : before.mode & 0o777 & ~keptMode(before.mode) };
}

/**
 * The file that a path finally names; the path itself where there is no link. Also for a link to a
 * file that does not exist yet.
 */
export async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? resolve(dirname(path), await readlink(path)) : resolve(path);
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

async function statIfAny(path: string): Promise<Ownership | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Fails rather than hand the file to somebody who could not read or write it before. */
async function keepOwnerAndMode(file: FileHandle, before: Ownership): Promise<void> {
  const now = await file.stat();
  if (now.uid !== before.uid || now.gid !== before.gid) await file.chown(before.uid, before.gid);
  await file.chmod(keptMode(before.mode));
}

/**
 * Readable by all is what a default umask leaves, so it becomes 0600; readable by the group alone was
 * meant (a service that reads what an administrator writes), so it stays.
 */
function keptMode(mode: number): number {
  return (mode & 0o007) === 0 ? mode & 0o640 : mode & 0o600;
}

/** Makes a rename in the folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
