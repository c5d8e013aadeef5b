/**
 * Editing the key file in place: read, change, check, write, with nobody else in between and whole or
 * not at all. What is written has been read back by the gate's own reader first, so an edit can never
 * leave a file that the gate refuses.
 */
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { followLinks, isMissing, writeFileAtomically } from "../base/atomic-file.ts";
import type { Clock } from "../base/clock.ts";
import { type FileLockOptions, lockFile } from "../base/file-lock.ts";
import { type Fault, fileFault } from "../document/fault.ts";
import type { Environment } from "../document/interpolate.ts";
import { parseKeyFile } from "./file-source.ts";
import { editDocument, editLines, type KeyFileChanges, NEW_KEY_FILE } from "./key-file-text.ts";
import type { KeyRecord } from "./record.ts";

/** What an edit decides after it has seen the keys. */
export interface KeyFileEdit<T> extends Partial<KeyFileChanges> {
  readonly value: T;
}

export type KeyFileOutcome<T> =
  /** `modeTaken`: permission bits that the file had and lost, because a key file is not for everybody. */
  | { readonly ok: true; readonly value: T; readonly modeTaken: number }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export interface KeyFileOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** Begin a new file where there is none. */
  readonly create?: boolean;
  readonly lock?: Partial<FileLockOptions>;
}

/**
 * Lets `edit` see the keys and writes what it decides. A faulty file is not edited.
 * @throws FileLockedError, and what the file system throws when the file cannot be written
 */
export async function editKeyFile<T>(
  file: string,
  { env, clock, create = false, lock: lockOptions }: KeyFileOptions,
  edit: (records: readonly KeyRecord[]) => KeyFileEdit<T>,
): Promise<KeyFileOutcome<T>> {
  const target = await followLinks(file);
  const lock = await lockFile(target, clock, lockOptions);
  try {
    const text = await readIfAny(target);
    if (text === undefined && !create)
      return { ok: false, faults: [fileFault(file, "does not exist or is empty")] };
    const loaded = parseKeyFile(text ?? NEW_KEY_FILE, file, env, { allowEmpty: create });
    if (!loaded.ok) return loaded;
    const records = [...loaded.records.values()];
    const { value, added = [], changed = [] } = edit(records);
    let modeTaken = 0;
    if (added.length + changed.length > 0) {
      const edited = editText(text ?? NEW_KEY_FILE, file, env, { added, changed }, records);
      if (!(await lock.isHeld()))
        throw new Error(`${file} was being edited by somebody else; nothing was written`);
      ({ modeTaken } = await writeFileAtomically(target, edited));
    }
    return { ok: true, value, modeTaken };
  } finally {
    await lock.release();
  }
}

/** Prefers the edit that keeps every line; takes whichever reads back as exactly what was meant. */
function editText(
  text: string,
  file: string,
  env: Environment,
  changes: KeyFileChanges,
  before: readonly KeyRecord[],
): string {
  const changedById = new Map(changes.changed.map((record) => [record.id, record]));
  const expected = [...before.map((record) => changedById.get(record.id) ?? record), ...changes.added];
  for (const write of [editLines, editDocument]) {
    const edited = write(text, changes);
    if (edited === undefined) continue;
    const loaded = parseKeyFile(edited, file, env);
    if (loaded.ok && isDeepStrictEqual([...loaded.records.values()], expected)) return edited;
  }
  throw new Error(`${file} cannot be edited by a program: its layout is unusual; nothing was written`);
}

/** Undefined for a file that is missing or blank: both are waiting for their first key. */
async function readIfAny(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, "utf8");
    return text.trim() === "" ? undefined : text;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * The environment for work that needs no secrets: what is not set stands for itself. Revoking a key must
 * not need the development secrets of the others.
 */
export function withPlaceholders(env: Environment): Environment {
  return new Proxy(env, {
    get: (known, name) =>
      typeof name === "string" ? (known[name] ?? `unset-${name}`.padEnd(32, "-")) : undefined,
  });
}
