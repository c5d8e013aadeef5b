import { expect, test } from "vitest";
import { formatFault, renderFault } from "../../../src/document/fault.ts";
import { CompactKeys } from "../../../src/keys/compact-keys.ts";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { FileKeySource, type LoadedKeys, loadKeyFile, parseKeyFile } from "../../../src/keys/file-source.ts";
import { readPlainYaml } from "../../../src/keys/plain-yaml.ts";
import { DIGEST, SECRET } from "../../support/cache-scene.ts";
import { keyRecord } from "../../support/key-records.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const OTHER = "mem_live_fedcba9876543210";

const parse = (text: string, env: Record<string, string> = {}): LoadedKeys =>
  parseKeyFile(text, "keys.yaml", env);

/** The faults of a file, a line each; none when it was taken. */
function faultsOf(text: string, env: Record<string, string> = {}): readonly string[] {
  const loaded = parse(text, env);
  return loaded.ok ? [] : loaded.faults.map(formatFault);
}

const key = (id: string, ...fields: readonly string[]): string =>
  [`  - id: ${id}`, "organization: { id: org_a }", ...fields].join("\n    ");

const file = (...keys: readonly string[]): string => `keys:\n${keys.join("\n")}\n`;

test("a key is found by the digest of its secret, with every field of the file", () => {
  const loaded = parse(`keys:
  - id: key_01J9Z6
    name: Production Backend
    digest: ${formatDigest(DIGEST)}
    organization: { id: org_acme, name: Acme Corp }
    project: { id: proj_tech, name: Tech companies }
    environment: live
    scopes: [read, write]
    folders: [fld_1]
    expires_at: 2027-01-01T00:00:00Z
`);
  expect(loaded.ok && [...loaded.records]).toEqual([
    [
      DIGEST,
      {
        id: "key_01J9Z6",
        name: "Production Backend",
        digest: formatDigest(DIGEST),
        organization: { id: "org_acme", name: "Acme Corp" },
        project: { id: "proj_tech", name: "Tech companies" },
        environment: "live",
        scopes: ["read", "write"],
        folders: ["fld_1"],
        expires_at: "2027-01-01T00:00:00Z",
      },
    ],
  ]);
});

test("a secret from the environment is hashed and forgotten", () => {
  const loaded = parse(file(key("key_1", "secret: ${DEV_KEY}")), { DEV_KEY: SECRET });
  expect(loaded.ok && loaded.records.get(DIGEST)).toMatchObject({ id: "key_1" });
  expect(JSON.stringify(loaded.ok && [...loaded.records])).not.toContain(SECRET);
});

test("a secret file is relative to the key file, and its last newline is not part of it", async () => {
  await using folder = await makeTempFolder();
  await folder.write("secrets/dev", `${SECRET}\n`);
  const path = await folder.write("keys.yaml", file(key("key_1", "secret_file: secrets/dev")));
  const loaded = loadKeyFile(path, {});
  expect(loaded.ok && loaded.records.has(DIGEST)).toBe(true);
});

test.for<[what: string, text: string, fault: string | RegExp]>([
  [
    "an id twice",
    file(key("key_1", `secret: ${SECRET}`), key("key_1", `secret: ${OTHER}`)),
    "keys.yaml:5:9: keys[1].id: is the id of keys[0] too",
  ],
  [
    "a secret twice",
    file(key("key_1", `digest: ${formatDigest(DIGEST)}`), key("key_2", `secret: ${SECRET}`)),
    "keys.yaml:7:13: keys[1].secret: is the secret of keys[0] too",
  ],
  ["no digest", file(key("key_1")), "keys.yaml:2:9: keys[0].id: the key has no digest"],
  [
    "digest and secret",
    file(key("key_1", `secret: ${SECRET}`, `digest: ${formatDigest(DIGEST)}`)),
    "keys.yaml:4:13: keys[0].secret: stands beside digest: a key has one of the two",
  ],
  [
    "secret and secret_file",
    file(key("key_1", `secret: ${SECRET}`, "secret_file: x")),
    "keys.yaml:5:18: keys[0].secret_file: stands beside secret: a key has one of the two",
  ],
  [
    "a weak secret",
    file(key("key_1", "secret: password1")),
    "keys.yaml:4:13: keys[0].secret: the secret must have 16 to 256 characters",
  ],
  [
    "an odd secret",
    file(key("key_1", "secret: correct horse battery staple")),
    "keys.yaml:4:13: keys[0].secret: the secret holds a character that no key may have",
  ],
  [
    "a missing secret file",
    file(key("key_1", "secret_file: nowhere")),
    "keys.yaml:4:18: keys[0].secret_file: the file does not exist",
  ],
  ["an unset variable", file(key("key_1", "secret: ${NOWHERE}")), /^keys\.yaml:4:13: .*NOWHERE is not set/],
  [
    "expiry before start",
    file(
      key(
        "key_1",
        `secret: ${SECRET}`,
        "not_before: 2027-01-02T00:00:00Z",
        "expires_at: 2027-01-01T00:00:00Z",
      ),
    ),
    "keys.yaml:6:17: keys[0].expires_at: is not after not_before: the key would never be valid",
  ],
  [
    "a short digest",
    file(key("key_1", "digest: sha256:abc")),
    "keys.yaml:4:13: keys[0].digest: must be sha256: and 64 lower-case hex digits",
  ],
  [
    "an id with a newline",
    file('  - id: "key_1\\r\\nX-Admin: 1"', "    organization: { id: a }"),
    /^keys\.yaml:2:9: keys\[0\]\.id: key id must be/,
  ],
  [
    "a name that moves the cursor",
    file(key("key_1", 'name: "a\\e[2Jb"', `secret: ${SECRET}`)),
    "keys.yaml:4:11: keys[0].name: must not contain control characters",
  ],
  [
    "a misspelt field",
    file(key("key_1", `secret: ${SECRET}`, "scope: [read]")),
    'keys.yaml:5:5: unknown key "scope" in keys[0]; did you mean "scopes"?',
  ],
  ["an empty file", "", /^keys\.yaml:1:1: /],
  ["no list", "keys:\n", /^keys\.yaml:1:1: keys: must be a list/],
  [
    "an empty list",
    "keys: []\n",
    "keys.yaml:1:7: keys: there are none; if that is meant, add allow_empty: true",
  ],
  [
    "a file that ends in the middle",
    file(key("key_1", `secret: ${SECRET}`), "  - id: key_2", "    organization: { id"),
    /^keys\.yaml:\d+:\d+: /,
  ],
])("%s is refused at its place", ([, text, fault]) => {
  const faults = faultsOf(text);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(fault);
});

test("every fault is told, not only the first", () => {
  expect(faultsOf(file(key("key_1"), key("key_1"), key("key_2", "secret: short")))).toHaveLength(4);
});

test("an empty list is taken when the file says that it is meant", () => {
  expect(parse("keys: []\nallow_empty: true\n")).toMatchObject({ ok: true, count: 0 });
});

test("a file that is not there is a fault, not an exception", () => {
  const loaded = loadKeyFile("nowhere/keys.yaml", {});
  expect(!loaded.ok && loaded.faults.map(formatFault)).toEqual(["nowhere/keys.yaml: does not exist"]);
});

test.for([
  `secret: ${SECRET}`,
  `"secret" : "${SECRET}"`,
  `secret: \${DEV:-${SECRET}}`,
  `secret: >-\n      ${SECRET}`,
])("a fault never shows a secret that stands in the file: %s", (written) => {
  for (const more of ["", "    digest: sha256:abc\n", "    nonsense: 1\n", "    - broken\n"]) {
    const loaded = parse(
      `keys:\n  - id: key_0\n    organization: {id: o}\n    secret: ${SECRET}\n${file(key("key_1", written)).slice(6)}${more}`,
    );
    const shown = loaded.ok ? "" : loaded.faults.map(renderFault).join("\n");
    expect(loaded.ok).toBe(false);
    expect(shown).not.toContain(SECRET);
  }
});

test("a reload replaces all keys at once and says so", () => {
  const first = keyRecord(SECRET, { id: "key_1" });
  const source = new FileKeySource(CompactKeys.of([[DIGEST, first]]));
  const seen: unknown[] = [];
  const unsubscribe = source.onChange((change) => seen.push([change.kind, source.find(DIGEST).kind]));
  const other = keyRecord(OTHER, { id: "key_2" });
  source.replace(CompactKeys.of([[digestOf(OTHER), other]]));
  expect(seen).toEqual([["reset", "unknown"]]);
  expect(source.find(digestOf(OTHER))).toEqual({ kind: "found", record: other });
  expect([source.size, [...source.records()]]).toEqual([1, [other]]);
  unsubscribe();
  source.replace(new CompactKeys());
  expect(seen).toHaveLength(1);
});

test("ten thousand keys are read, and the fast reader takes them", () => {
  const keys = Array.from({ length: 10_000 }, (_, n) =>
    key(
      `key_${n}`,
      `digest: ${formatDigest(digestOf(`${n}`))}`,
      "scopes: [read, write]",
      `name: Backend ${n}`,
    ),
  );
  const text = file(...keys);
  expect(readPlainYaml(text)).toBeDefined();
  expect(parse(text)).toMatchObject({ ok: true, count: 10_000 });
});
