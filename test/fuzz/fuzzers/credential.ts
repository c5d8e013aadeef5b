/** Finding the key: the gate and a second reader of the same lines must find the same one, or none. */
import { Denial } from "../../../src/errors/denial.ts";
import { type CredentialPlace, extractCredential } from "../../../src/gate/credential.ts";
import { readHead } from "../../../src/gate/head.ts";
import { HeaderTable } from "../../../src/gate/header-table.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";
import { type Line, parseRequest } from "./request-text.ts";

const PLACES: readonly CredentialPlace[] = [
  { header: "authorization", schemes: ["bearer", "token"] },
  { header: "x-api-key", schemes: undefined },
  { header: "x-gate-token", schemes: ["key"] },
];

const NAMES = [
  "Authorization",
  "authorization",
  "X-API-Key",
  "x-api-key",
  "X_Api_Key",
  "X-Gate-Token",
  "X.Gate.Token",
];
const SCHEMES = [
  "Bearer ",
  "bearer ",
  "BEARER  ",
  "Token ",
  "Key ",
  "Basic ",
  "Bearer\t",
  "Bearer",
  "",
  "Bearer Bearer ",
];
const KEYS = ["mem_live_0123456789abcdef", "mem_live_fedcba9876543210", "x", ""];
const ENDS = ["", "", "", "", " extra", "\textra", ",", ", Bearer x", " ", "\xa0", "\0"];
const START = "GET /v1/memories 1.1 192.0.2.1\nHost: gate.test";
const MATERIAL: Material = {
  words: [...NAMES, ...SCHEMES, ...KEYS, ...ENDS, ": ", "\nAuthorization: Bearer mem_live_0123456789abcdef"],
  seeds: [`${START}\nAuthorization: Bearer mem_live_0123456789abcdef\nX-API-Key: mem_live_0123456789abcdef`],
};

export class CredentialFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 1000;
  readonly figures = { accepted: 0, refused: 0 };
  readonly #table = new HeaderTable({
    credentials: PLACES.map(({ header }) => header),
    identity: ["X-Org-Id"],
    owned: [],
    remove: [],
    keep: [],
  });

  generate(random: Random): Input {
    let text = START;
    for (let left = random.few(5); left > 0; left--) {
      text += `\n${random.pick(NAMES)}: ${random.pick(SCHEMES)}${random.pick(KEYS)}${random.pick(ENDS)}`;
    }
    return { text: random.oneIn(3) ? mutate(text, random, MATERIAL) : text };
  }

  check({ text }: Input): Verdict {
    const { method, target, version, lines } = parseRequest(text);
    const head = readHead({ method, target, httpVersion: version, rawHeaders: lines.flat() }, this.#table);
    if (head instanceof Denial) return undefined;
    const found = extractCredential(head, PLACES);
    const expected = keyByModel(lines);
    if (found instanceof Denial) this.figures.refused++;
    else this.figures.accepted++;
    const actual = found instanceof Denial ? undefined : found;
    if (actual === expected) return undefined;
    return { reason: `another key: the gate reads ${shown(actual)}, the model ${shown(expected)}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const shown = (key: string | undefined): string => (key === undefined ? "none" : JSON.stringify(key));

/** Undefined: no key, or no single one. */
function keyByModel(lines: readonly Line[]): string | undefined {
  const keys = new Set<string>();
  for (const { header, schemes } of PLACES) {
    const values = lines.filter(([name]) => name.toLowerCase() === header).map(([, value]) => value);
    if (values.length > 1) return undefined;
    const [value = ""] = values;
    const key = schemes === undefined ? value : behindScheme(value, schemes);
    // Something stands behind the key: another reader might use that.
    if (schemes !== undefined && /[ \t]/.test(key)) return undefined;
    if (key !== "") keys.add(key);
  }
  const [key] = keys;
  return keys.size === 1 ? key : undefined;
}

/** RFC 9110 section 11.4: a scheme, spaces, the credential. */
function behindScheme(value: string, schemes: readonly string[]): string {
  const [scheme = "", ...rest] = value.split(" ");
  if (rest.length === 0 || !schemes.includes(scheme.toLowerCase())) return "";
  return rest.join(" ").replace(/^ +/, "");
}
