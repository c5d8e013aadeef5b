/**
 * Keys from a YAML file. A file is taken whole or not at all, and every fault is told with its place:
 * a typing mistake must never quietly drop a key, merge two tenants or let a revoked key back in.
 * Knows nothing of when the file is read again.
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { type Fault, fileFault } from "../document/fault.ts";
import type { Environment } from "../document/interpolate.ts";
import { readDocument } from "../document/read.ts";
import { readTextFile, readYamlFile } from "../document/text-file.ts";
import { CompactKeys, REFUSED } from "./compact-keys.ts";
import { type Digest, digestOf, formatDigest, parseDigest } from "./digest.ts";
import { compileKeyFormat, RANDOM_LENGTH_MIN, SECRET_LENGTH_MAX } from "./format.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { type KeyRecord, keyRecordSchema } from "./record.ts";
import { isSoundRecord } from "./sound-record.ts";
import type { KeyChange, KeySource, Resolution } from "./source.ts";

/** A key as the file writes it: instead of the digest it may hold, or point at, the secret. */
const fileKeySchema = keyRecordSchema.extend({
  digest: keyRecordSchema.shape.digest.optional(),
  secret: z.string().optional().describe("For development: hashed when the file is read, then forgotten."),
  secret_file: z.string().min(1).max(4096).optional().describe("A file that holds the secret alone."),
});

const KEYS_MAX = 1_000_000;

export const keyFileSchema = z.strictObject({
  keys: z.array(fileKeySchema).max(KEYS_MAX),
  allow_empty: z
    .boolean()
    .optional()
    .describe("`keys: []` is meant; without this it is taken for an accident."),
});

type FileKey = z.output<typeof fileKeySchema>;
type KeyFile = z.output<typeof keyFileSchema>;

/** Where keys go as they are read: a Map in the order of the file, or something smaller. */
interface KeyStore {
  readonly size: number;
  set(digest: Digest, record: KeyRecord): unknown;
}

export type LoadedKeys<Store = ReadonlyMap<Digest, KeyRecord>> =
  | { readonly ok: true; readonly records: Store; readonly count: number }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** 64 MiB is some 200,000 keys; whoever has more keeps them in a registry. */
const BYTES_MAX = 64 * 1024 * 1024;

export interface KeyFileRules {
  /** Take an empty list also where the file does not say that it is meant: a key is about to be added. */
  readonly allowEmpty?: boolean;
}

/** Reads and checks a key file. Never throws for what is wrong with the file. */
export function loadKeyFile(file: string, env: Environment): LoadedKeys {
  return load(file, env, () => new Map<Digest, KeyRecord>());
}

/** The same, for holding many keys for long: each is packed as soon as it is read. */
export function loadPackedKeys(file: string, env: Environment): LoadedKeys<CompactKeys> {
  return load(file, env, () => new CompactKeys());
}

function load<Store extends KeyStore>(file: string, env: Environment, make: () => Store): LoadedKeys<Store> {
  const read = readYamlFile(file, BYTES_MAX);
  if (!read.ok) return { ok: false, faults: [fileFault(file, read.problem)] };
  return parsePlain(read.text, file, {}, make()) ?? parseAny(read.text, file, env, {}, make());
}

/**
 * Checks the text of a key file.
 * @param file for faults, and the folder that `secret_file` is relative to
 */
export function parseKeyFile(
  text: string,
  file: string,
  env: Environment,
  rules: KeyFileRules = {},
): LoadedKeys {
  const make = (): Map<Digest, KeyRecord> => new Map();
  return parsePlain(text, file, rules, make()) ?? parseAny(text, file, env, rules, make());
}

/** The fast way; undefined unless everything is right, so that faults come with their place. */
function parsePlain<Store extends KeyStore>(
  text: string,
  file: string,
  rules: KeyFileRules,
  records: Store,
): LoadedKeys<Store> | undefined {
  if (text.length > BYTES_MAX) return undefined;
  const collector = new KeyCollector(records, dirname(file));
  const plain = readPlainYaml(text, (item) => {
    const key = checkPlain(item);
    return key !== undefined && collector.add(key);
  });
  // What the collector took is no longer in there; the rest is.
  const frame = keyFileSchema.safeParse(plain);
  if (!frame.success || records.size > KEYS_MAX) return undefined;
  const { complaints } = collector.end(frame.data, rules);
  return complaints.length === 0 ? { ok: true, records, count: records.size } : undefined;
}

/** As the schema does, which is asked only about a key that it might change or refuse. */
function checkPlain(key: unknown): FileKey | undefined {
  if (isSoundRecord(key)) return key;
  const parsed = fileKeySchema.safeParse(key);
  return parsed.success ? parsed.data : undefined;
}

function parseAny<Store extends KeyStore>(
  text: string,
  file: string,
  env: Environment,
  rules: KeyFileRules,
  records: Store,
): LoadedKeys<Store> {
  const read = readDocument(text, { file, env, schema: keyFileSchema, limits: { bytesMax: BYTES_MAX } });
  if (!read.ok) return { ok: false, faults: read.faults.map((fault) => withoutSecret(fault)) };
  const collector = new KeyCollector(records, dirname(file));
  for (const key of read.value.keys) collector.add(key);
  const { complaints } = collector.end(read.value, rules);
  if (complaints.length > 0) {
    return {
      ok: false,
      faults: complaints.map(({ path, message }) =>
        withoutSecret(read.faultAt(path, message), path.at(-1) === "secret"),
      ),
    };
  }
  return { ok: true, records, count: records.size };
}

/**
 * Faults show the line that they are in. A secret that stands there is starred, character for character,
 * so that the caret stays in place; `${NAME}` is no secret, `${NAME:-default}` may be.
 */
function withoutSecret(fault: Fault, isOfSecret = false): Fault {
  if (isOfSecret && !/\bsecret\b/.test(fault.sourceLine)) return { ...fault, sourceLine: "" };
  const sourceLine = fault.sourceLine.replace(
    /(\bsecret["']?\s*:\s*)(?!\$\{\w+\})([^\s,}]+)/g,
    (_, before: string, secret: string) => before + "*".repeat(secret.length),
  );
  return { ...fault, sourceLine };
}

/** Something that a schema cannot see. The message never repeats a value: it may be a secret. */
interface Complaint {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Takes keys one by one and sees what is wrong between them. */
class KeyCollector {
  readonly complaints: Complaint[] = [];
  readonly #store: KeyStore;
  readonly #folder: string;
  readonly #placeOfId = new Map<string, number>();
  readonly #placeOfDigest = new Map<Digest, number>();
  #count = 0;

  constructor(store: KeyStore, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /** @returns whether nothing is wrong so far */
  add(key: FileKey): boolean {
    const index = this.#count++;
    const sameId = this.#placeOfId.get(key.id);
    if (sameId === undefined) this.#placeOfId.set(key.id, index);
    else this.#complain(index, "id", `is the id of keys[${sameId}] too`);
    if (isNeverValid(key)) {
      this.#complain(index, "expires_at", "is not after not_before: the key would never be valid");
    }
    const found = digestFor(key, this.#folder);
    if (found.digest === undefined) {
      this.#complain(index, found.field, found.message);
      return false;
    }
    const sameDigest = this.#placeOfDigest.get(found.digest);
    if (sameDigest === undefined) this.#placeOfDigest.set(found.digest, index);
    else this.#complain(index, found.field, `is the secret of keys[${sameDigest}] too`);
    this.#store.set(found.digest, recordOf(key, found.digest));
    return this.complaints.length === 0;
  }

  /** The rest of the file is known now. */
  end({ allow_empty }: KeyFile, rules: KeyFileRules): this {
    if (this.#count === 0 && allow_empty !== true && rules.allowEmpty !== true) {
      this.complaints.push({
        path: ["keys"],
        message: "keys: there are none; if that is meant, add allow_empty: true",
      });
    }
    return this;
  }

  #complain(index: number, field: string, message: string): void {
    this.complaints.push({ path: ["keys", index, field], message: `keys[${index}].${field}: ${message}` });
  }
}

/** Without a secret. */
function recordOf(key: FileKey, digest: Digest): KeyRecord {
  if (key.digest !== undefined) return key as KeyRecord;
  const { secret: _secret, secret_file: _file, ...fields } = key;
  return { ...fields, digest: formatDigest(digest) };
}

type SecretField = "digest" | "secret" | "secret_file";

type FoundDigest =
  | { readonly digest: Digest; readonly field: SecretField }
  | { readonly digest: undefined; readonly field: SecretField | "id"; readonly message: string };

const SECRET_FILE_BYTES_MAX = 4096;
const ANY_SECRET = compileKeyFormat(undefined);

function digestFor(key: FileKey, folder: string): FoundDigest {
  const [field, ...more] = (["digest", "secret", "secret_file"] as const).filter(
    (name) => key[name] !== undefined,
  );
  if (field === undefined) return { digest: undefined, field: "id", message: "the key has no digest" };
  if (more[0] !== undefined) {
    return { digest: undefined, field: more[0], message: `stands beside ${field}: a key has one of the two` };
  }
  if (field === "digest") {
    const digest = parseDigest(key.digest ?? "");
    return digest === undefined ? { digest, field, message: "is not a digest" } : { digest, field };
  }
  let secret = key.secret ?? "";
  if (field === "secret_file") {
    const read = readTextFile(resolve(folder, key.secret_file ?? ""), SECRET_FILE_BYTES_MAX);
    if (!read.ok) return { digest: undefined, field, message: `the file ${read.problem}` };
    // Editors and `echo` end a file with a newline that is not part of the secret.
    secret = read.text.replace(/\r?\n$/, "");
  }
  const fault = ANY_SECRET.check(secret);
  if (fault === undefined) return { digest: digestOf(secret), field };
  const message =
    fault === "length"
      ? `the secret must have ${RANDOM_LENGTH_MIN} to ${SECRET_LENGTH_MAX} characters`
      : "the secret holds a character that no key may have";
  return { digest: undefined, field, message };
}

function isNeverValid({ not_before, expires_at }: Pick<KeyRecord, "not_before" | "expires_at">): boolean {
  if (not_before === undefined || expires_at === undefined) return false;
  return Date.parse(expires_at) <= Date.parse(not_before);
}

/** Serves what was loaded from a key file, until it is replaced whole. */
export class FileKeySource implements KeySource {
  #keys: CompactKeys;
  readonly #listeners = new Set<(change: KeyChange) => void>();

  constructor(keys: CompactKeys) {
    this.#keys = keys;
  }

  get size(): number {
    return this.#keys.size;
  }

  find(digest: Digest): Resolution {
    const record = this.#keys.get(digest);
    return record === undefined || record === REFUSED ? UNKNOWN : { kind: "found", record };
  }

  /** Every key, for what is told about keys whether they are used or not (their dates). */
  records(): Iterable<KeyRecord> {
    return this.#keys.records();
  }

  /** Takes what a reload has read, all of it. */
  replace(keys: CompactKeys): void {
    this.#keys = keys;
    for (const listener of this.#listeners) listener({ kind: "reset" });
  }

  onChange(listener: (change: KeyChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const UNKNOWN: Resolution = { kind: "unknown" };
