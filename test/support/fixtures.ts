/** Config and key files for tests: a small gate on free ports, changed where the test says so. */
import { randomBytes } from "node:crypto";
import { stringify } from "yaml";
import { digestOf, formatDigest } from "../../src/keys/digest.ts";
import type { KeyRecord } from "../../src/keys/record.ts";
import { noteSecret } from "./known-secrets.ts";
import type { TempFolder } from "./temp-folder.ts";

/** A key as a client holds it and as the key file has it. */
export interface KeyFixture {
  readonly secret: string;
  readonly record: KeyRecord;
}

/** The fields of a record that a test cares about. */
export type KeyFields = Partial<Omit<KeyRecord, "digest">> & { readonly secret?: string };

let keysMade = 0;

/** The gate reads no YAML aliases. */
const PLAIN = { aliasDuplicateObjects: false };

/** A fresh key of Acme's Tech project that may read and write, unless told otherwise. */
export function makeKey({ secret: given, ...fields }: KeyFields = {}): KeyFixture {
  const environment = fields.environment ?? "live";
  const secret = given ?? `mem_${environment}_${randomBytes(24).toString("hex")}`;
  const id = `key_test${++keysMade}`;
  noteSecret(secret, fields.id ?? id);
  return {
    secret,
    record: {
      id,
      name: "Test key",
      organization: { id: "org_acme", name: "Acme Corp" },
      project: { id: "proj_tech", name: "Tech companies" },
      environment,
      scopes: ["read", "write"],
      ...fields,
      digest: formatDigest(digestOf(secret)),
    },
  };
}

export interface GateFiles {
  readonly configFile: string;
  readonly keysFile: string;
}

export interface GateFixture {
  /** Where the default upstream is. */
  readonly upstreamUrl: string;
  readonly keys?: readonly KeyFixture[];
  /** Top-level options of the config; each replaces the one below as a whole. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The config before the test's changes. */
function configFor(upstreamUrl: string): Readonly<Record<string, unknown>> {
  return {
    listen: { host: "127.0.0.1", port: 0 },
    ops: { host: "127.0.0.1", port: 0 },
    upstreams: { default: { url: upstreamUrl } },
    credentials: [{ header: "authorization", schemes: ["Bearer"] }, { header: "x-api-key" }],
    key_format: { prefix: "mem", environments: ["live", "test"] },
    keys: { file: "keys.yaml" },
    scopes: { admin: ["read", "write", "delete"] },
    routes: [
      { path: "/health", public: true },
      { path: "/v1/me", methods: ["GET"], handler: "whoami" },
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
      { path: "/v1/memories/**", methods: ["POST", "PUT", "PATCH"], scopes: ["write"] },
      { path: "/v1/memories/**", methods: ["DELETE"], scopes: ["delete"] },
      { path: "/open/**" },
    ],
    identity: {
      organization: "X-Org-Id",
      project: "X-Project-Id",
      environment: "X-Environment",
      key: "X-Key-Id",
    },
  };
}

function backendCredentials({ upstreams }: Readonly<Record<string, unknown>>): readonly string[] {
  const each = Object.values(upstreams as Readonly<Record<string, { auth?: { value?: string } }>>);
  return each.flatMap(({ auth }) => auth?.value ?? []).filter((value) => !value.startsWith("${"));
}

/** Writes keyward.yaml and keys.yaml into the folder. */
export async function writeGateFiles(folder: TempFolder, fixture: GateFixture): Promise<GateFiles> {
  const config = { ...configFor(fixture.upstreamUrl), ...fixture.config };
  for (const value of backendCredentials(config)) noteSecret(value, "the gate at its backend");
  return {
    configFile: await folder.write("keyward.yaml", stringify(config, PLAIN)),
    keysFile: await writeKeys(folder, fixture.keys ?? []),
  };
}

/** Writes keys.yaml anew, as an operator would who edits it. */
export async function writeKeys(folder: TempFolder, keys: readonly KeyFixture[]): Promise<string> {
  const records = keys.map(({ record }) => record);
  // An empty list alone is taken for an accident.
  const file = records.length === 0 ? { keys: [], allow_empty: true } : { keys: records };
  return await folder.write("keys.yaml", stringify(file, PLAIN));
}
