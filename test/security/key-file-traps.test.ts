/**
 * Attacks on and accidents with the YAML files: half a file, no keys, one key for two tenants,
 * documents that grow, words that are no strings. CACHE-015 to CACHE-019 of the wire set. Whatever
 * is wrong, the gate keeps what it had, says so, and never opens.
 */
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { loadKeyFile } from "../../src/keys/file-source.ts";
import { runChild } from "../support/child.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { launcher } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const stranger = makeKey();
const LAST_RELOAD = "keyward_config_last_reload_successful";

const digest = (n: number): string => `sha256:${String(n).padStart(64, "0")}`;
const record = (id: string, of: number, organization: string): string =>
  `  - { id: ${id}, digest: "${digest(of)}", organization: { id: ${organization} } }\n`;

/** File → what is wrong with it. */
const FAULTY: readonly (readonly [what: string, text: string])[] = [
  ["CACHE-015 a syntax error", "keys:\n  - id: [key_1\n"],
  ["CACHE-015 a tab for indentation", "keys:\n\t- id: key_1\n"],
  ["CACHE-016 nothing", ""],
  ["CACHE-016 no keys", "keys: []\n"],
  ["CACHE-016 a list that was cut off", "keys:\n"],
  ["CACHE-016 half a record", "keys:\n  - id: key_1\n    digest: sha256:00"],
  [
    "CACHE-017 one key for two organizations",
    `keys:\n${record("key_1", 1, "org_a")}${record("key_2", 1, "org_b")}`,
  ],
  ["CACHE-017 one id for two keys", `keys:\n${record("key_1", 1, "org_a")}${record("key_1", 2, "org_b")}`],
  [
    "CACHE-018 an alias",
    `keys:\n  - &a { id: key_1, digest: "${digest(1)}", organization: { id: org_a } }\n  - *a\n`,
  ],
  ["CACHE-018 two documents", `keys:\n${record("key_1", 1, "org_a")}---\nkeys: []\n`],
  ["CACHE-019 a field twice", `keys:\n${record("key_1", 1, "org_a")}keys: []\n`],
  ["CACHE-019 a key of a prototype", "__proto__: { keys: [] }\n"],
];

test.for(FAULTY)("%s is refused whole", async ([, text]) => {
  await using folder = await makeTempFolder();
  expect(loadKeyFile(await folder.write("keys.yaml", text), {}).ok).toBe(false);
});

describe("CACHE-019 a word that YAML may read as something else", () => {
  test.for<[field: string, value: string]>([
    ["id", "012345"],
    ["id", "1e5"],
    ["id", "~"],
    ["id", "0x1F"],
    ["name", "on"],
    ["name", "1.0"],
    ["environment", "null"],
    ["environment", "2026-01-01"],
    ["scopes", "[1, 2]"],
    ["scopes", "read"],
    ["scopes", "[null]"],
    ["organization", "{ id: 007 }"],
    ["organization", "{ id: .inf }"],
    ["organization", "org_a"],
    ["digest", "0"],
  ])("as %s: %s is a string or refused, never something between", async ([field, value]) => {
    await using folder = await makeTempFolder();
    const fields = new Map([
      ["id", "key_1"],
      ["digest", `"${digest(1)}"`],
      ["organization", "{ id: org_a }"],
    ]).set(field, value);
    const lines = [...fields].map(([name, text]) => `${name}: ${text}`).join(", ");
    const loaded = loadKeyFile(await folder.write("keys.yaml", `keys:\n  - { ${lines} }\n`), {});
    if (!loaded.ok) return;
    const [taken] = [...loaded.records.values()];
    expect(taken?.[field as "id" | "name" | "environment"]).toBe(value);
  });
});

test("a gate keeps its keys whatever the file becomes, says so, and takes a good one again", async () => {
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const statusOf = async (secret: string): Promise<number> =>
    (await ask(`${gate.url}/v1/memories`, { key: secret })).status;
  for (const [what, text] of FAULTY) {
    const refusals = (): number =>
      gate.log().filter(({ msg }) => String(msg).startsWith("reload refused")).length;
    const before = refusals();
    await writeFile(gate.files.keysFile, text);
    gate.running.reload(what);
    expect(await statusOf(key.secret), what).toBe(200);
    expect(await statusOf(stranger.secret), what).toBe(401);
    expect((await ask(`${gate.url}/v1/memories`)).status, what).toBe(401);
    expect(await gate.metric(LAST_RELOAD), what).toBe(0);
    await waitFor("the refusal in the log", () => refusals() > before);
  }
  await writeGateFiles(gate.folder, { upstreamUrl: upstream.url, keys: [stranger] });
  await waitFor("the good file to be taken", async () => (await statusOf(stranger.secret)) === 200);
  expect(await statusOf(key.secret)).toBe(401);
  expect(await gate.metric(LAST_RELOAD)).toBe(1);
});

test("CACHE-015 `keyward check` ends with 78 for each of them, and no gate starts", async () => {
  await using folder = await makeTempFolder();
  const { configFile, keysFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:9",
    keys: [key],
  });
  for (const [what, text] of FAULTY.slice(0, 4)) {
    await writeFile(keysFile, text);
    const checked = await runChild(process.execPath, [launcher, "check", "--config", configFile]);
    expect(checked.code, what).toBe(78);
    const served = await runChild(process.execPath, [launcher, "serve", "--config", configFile]);
    expect(served.code, what).toBe(78);
  }
});

describe("CACHE-018 a document that grows while it is read", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    .concat(
      Array.from(
        { length: 12 },
        (_, i) => `${"bcdefghijklm"[i]}: &${"bcdefghijklm"[i]} [${`*${"abcdefghijkl"[i]}, `.repeat(9)}]`,
      ),
    )
    .join("\n");
  const nodes = `keys:\n${"  - [[[[[[[[[[]]]]]]]]]]\n".repeat(1_000_000)}`;
  const deep = `keys: ${"[".repeat(100_000)}${"]".repeat(100_000)}\n`;

  test.for([
    ["a billion laughs", bomb],
    ["ten million nodes", nodes],
    ["a hundred thousand levels", deep],
    ["a long line", `keys: "${"a".repeat(5_000_000)}"\n`],
  ] as const)("%s is refused in little memory and little time", { timeout: 60_000 }, async ([, text]) => {
    await using folder = await makeTempFolder();
    const { configFile, keysFile } = await writeGateFiles(folder, {
      upstreamUrl: "http://127.0.0.1:9",
      keys: [key],
    });
    await writeFile(keysFile, text);
    const command = ["--max-old-space-size=256", launcher, "check", "--config", configFile];
    const checked = await runChild(process.execPath, command, { deadlineMs: 30_000 });
    expect(checked.code).toBe(78);
  });
});
