/**
 * Config and key files: whatever the text, there is a value, or there are faults at places that
 * exist; never an exception. What was accepted can be compiled, and holds nothing that could become
 * a header of its own.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { ManualClock } from "../../../src/base/clock.ts";
import { type GateConfig, gateConfigSchema } from "../../../src/config/schema.ts";
import { type Fault, renderFault } from "../../../src/document/fault.ts";
import { readDocument } from "../../../src/document/read.ts";
import { compileGate } from "../../../src/gate/gate-state.ts";
import { UpstreamSet } from "../../../src/gate/upstreams.ts";
import { KeyCacheStats } from "../../../src/keys/cache.ts";
import { CompactKeys } from "../../../src/keys/compact-keys.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { FileKeySource, parseKeyFile } from "../../../src/keys/file-source.ts";
import { readPlainYaml } from "../../../src/keys/plain-yaml.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { projectRoot } from "../../support/source-files.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";

const FILE = "fuzz.yaml";
/** Values that would break out, were they put into the text before it is parsed. */
const ENV = { A: "x: y\n- [", BACKEND_TOKEN: "t0ken", UPSTREAM_URL: "http://127.0.0.1:1" };

const YAML_WORDS = String.raw`
  - : , [ ] { } # & * ! | > % @ " ' ? ~ << *a &a !!str !!binary !!set |- >+ --- ... %YAML null true
  0x1f 1e3 .inf -0 08 2027-01-01 \${A} \${B:-x} \${B \$\${A} \ud800 true: __proto__: constructor: - -
  path: public: methods: scopes: any_scope: upstream: upstreams: routes: url: unix:/x http://[::1]:1 key:
  keys: credentials: identity: null: headers: cors: origins: bounds: 1TiB 10s 0 -1 65536 99999999999999999999
  /** /* /{a} /a/../b //a secret: digest: expires_at: organization: {id: allow_empty:`
  .trim()
  .split(/\s+/);
const LAYOUT = [
  "\n",
  "\n  ",
  "\n    ",
  "\n  - ",
  "\t",
  "\r\n",
  " #",
  ": ",
  "\u2028",
  "\ufeff",
  "\ud800",
  "\u00e9",
];

/** What both kinds of file have in common. */
abstract class DocumentFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 3000;
  readonly figures = { accepted: 0, refused: 0 };
  readonly #material: Material;

  constructor(seeds: readonly string[]) {
    this.#material = { words: [...YAML_WORDS, ...LAYOUT], seeds };
  }

  generate(random: Random): Input {
    const seed = random.pick(this.#material.seeds);
    // A small file is read a hundred times while a large one is read once.
    const lines = seed.split("\n");
    const from = random.oneIn(2) ? 0 : random.below(lines.length);
    const cut = random.oneIn(4) ? seed : lines.slice(from, from + random.between(1, 25)).join("\n");
    return { text: mutate(cut, random, this.#material) };
  }

  abstract check(input: Input): Verdict;

  async [Symbol.asyncDispose](): Promise<void> {}
}

export class ConfigFuzzer extends DocumentFuzzer {
  constructor() {
    super([...filesOf(/^(?!.*keys\.yaml$).*\.yaml$/), MINIMAL_CONFIG, MINIMAL_CONFIG, MINIMAL_CONFIG]);
  }

  check({ text }: Input): Verdict {
    const read = readDocument(text, { file: FILE, env: ENV, schema: gateConfigSchema });
    if (!read.ok) {
      this.figures.refused++;
      return misplaced(read.faults, text);
    }
    this.figures.accepted++;
    const { faults } = compile(read.value);
    return misplaced(
      faults.map(({ index, message }) => read.faultAt(["routes", index, "path"], message)),
      text,
      0,
    );
  }
}

export class KeyFileFuzzer extends DocumentFuzzer {
  constructor() {
    super([...filesOf(/keys\.yaml$/), MINIMAL_KEYS, MINIMAL_KEYS]);
  }

  check({ text }: Input): Verdict {
    const plain = readPlainYaml(text);
    if (plain !== undefined) {
      const full = readDocument(text, { file: FILE, env: ENV, schema: z.unknown() });
      if (!full.ok) return { reason: "only the fast reader accepts it: the full one has faults" };
      if (!isDeepStrictEqual(plain, full.value))
        return { reason: "read differently: by the fast and the full reader" };
    }
    const loaded = parseKeyFile(text, FILE, ENV);
    if (!loaded.ok) {
      this.figures.refused++;
      return misplaced(loaded.faults, text);
    }
    this.figures.accepted++;
    return [...loaded.records.values()].map(dangerous).find((verdict) => verdict !== undefined);
  }
}

const MINIMAL_CONFIG = `upstreams: { default: { url: "http://127.0.0.1:8000" } }
keys: { file: keys.yaml }
routes:
  - { path: /health, public: true }
  - { path: /v1/memories/**, methods: [GET], scopes: [read] }
  - { path: "/v1/{project}/*", any_scope: [read, write] }
`;
const MINIMAL_KEYS = `keys:
  - id: key_1
    name: A key
    digest: sha256:${"0".repeat(64)}
    organization: { id: org_a, name: Acme }
    project: { id: proj_a }
    environment: live
    scopes: [read, "memories:write"]
    expires_at: 2027-01-01T00:00:00Z
`;

function filesOf(shape: RegExp): readonly string[] {
  const folder = join(projectRoot, "config");
  return readdirSync(folder)
    .filter((name) => shape.test(name))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

/** Faults have to be some, and to lie inside the text. */
function misplaced(faults: readonly Fault[], text: string, least = 1): Verdict {
  if (faults.length < least) return { reason: "no fault: refused without one" };
  const lines = text.split("\n");
  const astray = faults.find(({ line, column, sourceLine }) => {
    const shown = lines[line - 1];
    if (line === 0) return false;
    // A secret's line is starred or left out.
    return shown === undefined || column < 1 || column > shown.length + 1 || sourceLine.length > shown.length;
  });
  return astray === undefined ? undefined : { reason: `misplaced: ${renderFault(astray)}` };
}

function compile(config: GateConfig): ReturnType<typeof compileGate> {
  const upstreams = new UpstreamSet().prepare(config);
  try {
    const compiled = compileGate(config, {
      clock: new ManualClock(0),
      source: new FileKeySource(new CompactKeys()),
      counters: new KeyCounterTable(1),
      cacheStats: new KeyCacheStats(),
      upstreams,
    });
    compiled.state.keys.close();
    return compiled;
  } finally {
    for (const upstream of upstreams.values()) void upstream.destroy();
  }
}

/** What goes into headers and labels has to be what such places can hold. */
function dangerous(record: KeyRecord): Verdict {
  const { id, organization, project, environment, folders = [], scopes } = record;
  const sent = [id, organization.id, project?.id, environment, ...folders, ...scopes];
  const odd = sent.find((text) => text !== undefined && !/^(?:[A-Za-z0-9._:/-]{1,128}|\*)$/.test(text));
  return odd === undefined ? undefined : { reason: `would forge a header: ${JSON.stringify(odd)}` };
}
