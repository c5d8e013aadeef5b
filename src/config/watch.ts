/**
 * Notices when a file changes, however it is changed. Kubernetes never writes to a mounted file:
 * it makes a new folder and swaps the symbolic link `..data` to it, after which a watch on the file
 * itself is dead. So the folders are watched, and a slow look at the files themselves catches what
 * the system does not report (network file systems, links to elsewhere, exhausted inotify watches).
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { type FileStamps, stampOf } from "./file-stamp.ts";

export interface FileWatch {
  close(): void;
}

export interface WatchOptions {
  /** State of the files when they were read; without it, their state now. */
  readonly since?: FileStamps;
  /** Quiet time after the last event before the files are looked at. */
  readonly debounceMs?: number;
  /** Between two looks that no event asked for. */
  readonly pollMs?: number;
}

const DEBOUNCE_MS = 100;
const POLL_MS = 5000;
/** A folder in which something happens all the time must not put the look off for ever. */
const DEBOUNCES_MAX = 10;

/**
 * Calls back after each change of a file, never twice for the same one. Keeps no process alive.
 * @param files absolute paths; they need not exist
 */
export function watchFiles(
  files: readonly string[],
  onChange: () => void,
  options: WatchOptions = {},
): FileWatch {
  return new FolderWatch(files, onChange, options);
}

interface WatchedFolder {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

class FolderWatch implements FileWatch {
  readonly #files: readonly string[];
  readonly #onChange: () => void;
  readonly #debounceMs: number;
  readonly #stamps: Map<string, string>;
  readonly #folders = new Map<string, WatchedFolder | undefined>();
  readonly #poll: NodeJS.Timeout;
  #pending: NodeJS.Timeout | undefined;
  #postponed = 0;
  #isClosed = false;

  constructor(files: readonly string[], onChange: () => void, options: WatchOptions) {
    this.#files = files;
    this.#onChange = onChange;
    this.#debounceMs = options.debounceMs ?? DEBOUNCE_MS;
    for (const file of files) this.#folders.set(dirname(file), undefined);
    this.#watchFolders();
    // After the watch began: whatever happens from here on is either in the stamps or an event.
    this.#stamps = new Map(files.map((file) => [file, options.since?.get(file) ?? stampOf(file)]));
    this.#poll = setInterval(() => this.#look(), options.pollMs ?? POLL_MS).unref();
    if (options.since !== undefined) this.#lookSoon();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    for (const folder of this.#folders.values()) folder?.watcher.close();
    this.#folders.clear();
  }

  #lookSoon(): void {
    if (this.#isClosed || this.#postponed >= DEBOUNCES_MAX) return;
    this.#postponed += 1;
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.#look(), this.#debounceMs).unref();
  }

  #look(): void {
    this.#postponed = 0;
    this.#watchFolders();
    let hasChanged = false;
    for (const file of this.#files) {
      const stamp = stampOf(file);
      if (this.#stamps.get(file) === stamp) continue;
      this.#stamps.set(file, stamp);
      hasChanged = true;
    }
    if (hasChanged) this.#onChange();
  }

  /** Watches anew what was replaced, removed or not there before. */
  #watchFolders(): void {
    for (const [path, known] of this.#folders) {
      const identity = identityOf(path);
      if (identity === known?.identity) continue;
      known?.watcher.close();
      this.#folders.set(path, identity === undefined ? undefined : this.#watchFolder(path, identity));
    }
  }

  #watchFolder(path: string, identity: string): WatchedFolder | undefined {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#lookSoon());
      watcher.on("error", () => {
        watcher.close();
        this.#folders.set(path, undefined);
      });
      return { watcher, identity };
    } catch {
      // No watches left, or the folder is gone again: the slow look remains.
      return undefined;
    }
  }
}

/** Which folder it is; the birth time because inode numbers are used again at once. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(path, { bigint: true });
    return [dev, ino, birthtimeNs].join(" ");
  } catch {
    return undefined;
  }
}
