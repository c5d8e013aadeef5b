/**
 * An advisory lock for editing a file: read, change, write, with nobody else in between. The lock is a
 * file made with O_EXCL, so it works between containers that share a volume, where process ids mean
 * nothing. Knows nothing of what is edited.
 */
import { randomUUID } from "node:crypto";
import { readFile, stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { isMissing } from "./atomic-file.ts";
import type { Clock } from "./clock.ts";

export interface FileLockOptions {
  /** How long to wait for another holder. Longer than `staleMs`, or a lock left behind blocks for ever. */
  readonly waitMs: number;
  /** A lock older than this was left behind by a process that died. An edit takes milliseconds. */
  readonly staleMs: number;
  readonly pollMs: number;
}

const DEFAULTS: FileLockOptions = { waitMs: 15_000, staleMs: 10_000, pollMs: 25 };

/** Somebody else holds the lock and did not let go in time. */
export class FileLockedError extends Error {
  constructor(lockPath: string) {
    super(`somebody else is editing the file; if not, remove ${lockPath} and ${lockPath}.removal`);
    this.name = "FileLockedError";
  }
}

export interface FileLock {
  /**
   * Is the lock still ours? To be asked right before the write: a process that was suspended for longer
   * than `staleMs` has lost it.
   */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** @throws FileLockedError when the wait is over */
export async function lockFile(
  path: string,
  clock: Clock,
  options: Partial<FileLockOptions> = {},
): Promise<FileLock> {
  const { waitMs, staleMs, pollMs } = { ...DEFAULTS, ...options };
  const lockPath = `${path}.lock`;
  const token = randomUUID();
  const deadlineMs = clock.monotonic() + waitMs;
  while (!(await create(lockPath, token))) {
    if (clock.monotonic() >= deadlineMs) throw new FileLockedError(lockPath);
    await removeStale(lockPath, clock.now() - staleMs);
    await wait(pollMs);
  }
  const isHeld = async (): Promise<boolean> => (await readIfAny(lockPath)) === token;
  return {
    isHeld,
    release: async () => {
      if (await isHeld()) await unlink(lockPath);
    },
  };
}

async function create(lockPath: string, token: string): Promise<boolean> {
  try {
    await writeFile(lockPath, token, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Of several processes that find the same stale lock only the one that makes the guard file may remove
 * it, after a second look: without that, a slow one would remove the lock that a fast one has just made.
 */
async function removeStale(lockPath: string, olderThanMs: number): Promise<void> {
  if (!(await isOlder(lockPath, olderThanMs))) return;
  const guardPath = `${lockPath}.removal`;
  if (!(await create(guardPath, ""))) return;
  try {
    if (await isOlder(lockPath, olderThanMs)) await unlink(lockPath);
  } finally {
    await unlink(guardPath);
  }
}

async function isOlder(path: string, thanMs: number): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs < thanMs;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
