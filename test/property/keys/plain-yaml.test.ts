/** The fast reader agrees with the full parser or gives up. It may be lazy, never different. */
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseDocument, stringify } from "yaml";
import { readPlainYaml } from "../../../src/keys/plain-yaml.ts";

const BREAKS = ["|", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "\n    - ", "\t", "\r\n", "\\n"];

/** Pieces that, put together at random, come close to YAML that is legal, odd or broken. */
const pieces = fc.constantFrom(
  ...split`keys:|id:|name: |scopes:|- |-|a|b: |[|]|{|}|, |,|: |:|#| # note|"|'|>|&x |*x|!t |~|true|null|12|0x1f|1e3`,
  ...split`.5|-1|2027-01-01T00:00:00Z|2027-01-01|memories:read|sha256:ab|---|...|%|? |<<|Zürich|a b|a#b|\${X}|''|""`,
  ...BREAKS,
);

function split(text: TemplateStringsArray): readonly string[] {
  return text.join("").split("|");
}

const NEAR_NAMES = split`a|B|g|o| |0|1|5|9|e|x|E|X|.|_|+|-|:|,|;|&|!|%|<|>|*|~|^|?|"|'|[|]|{|}|#|$|@|=|(|)|/|–|“|é|€|😀`;

/** The texts that the two read in different ways: none. */
function disagreements(...texts: readonly string[]): readonly string[] {
  return texts.filter((text) => {
    const plain = readPlainYaml(text);
    if (plain === undefined) return false;
    const document = parseDocument(text, { logLevel: "silent" });
    return (
      document.errors.length + document.warnings.length > 0 || !isDeepStrictEqual(plain, document.toJS())
    );
  });
}

test("on random pieces of YAML", () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 24 }), (chosen) => {
      const text = chosen.join("");
      expect(disagreements(text, `keys:${text}`, `keys:\n  - id: a\n    name: ${text}\n`)).toEqual([]);
    }),
  );
});

test("on random text as a value, in a block and in brackets", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 12 }), (value) => {
      const inBlock = `keys:\n  - name: ${value}\n    id: b\n`;
      const inBrackets = [`keys:\n  - { name: ${value}, id: b }\n`, `keys: [a, ${value}]\n`];
      const inQuotes = `keys: ["${value}", '${value}'] # ${value}\n`;
      expect(disagreements(inBlock, inQuotes, ...inBrackets)).toEqual([]);
    }),
  );
});

/** Of what names and numbers are made, so that most texts are nearly one or the other. */
const nearName = fc.string({
  unit: fc.constantFrom(...NEAR_NAMES, ...BREAKS, "\u2028", "\u00a0"),
  maxLength: 8,
});

test("on what looks like a name or a number, in a block and in brackets", () => {
  fc.assert(
    fc.property(nearName, (name) => {
      const inBlock = `keys:\n  - name: ${name}\n    id: b\n`;
      expect(disagreements(inBlock, `keys:\n  - o: { id: b, name: ${name} }\n`, `keys: [${name}]\n`)).toEqual(
        [],
      );
    }),
  );
});

// With the full parser, 10,000 keys take a second, in which a gate that reloads answers nobody.
test.for([
  "AT&T",
  "3M",
  "2nd floor",
  "Hi! 100 % Bio",
  "A–B “quoted” …",
  "naïve café",
  "日本語 キー",
  "😀",
  "R&D {eu} [x], the best",
  "a|b <c> d^e f~g; h*",
  "© 2026 Acme, 20 €",
  'who? the "big" one',
])("a name that is plain is read as such: %s", (name) => {
  expect(readPlainYaml(`keys:\n  - name: ${name}\n`)).toEqual({ keys: [{ name }] });
});

test("a key on one line is plain, with what it nests", () => {
  const line =
    "keys:\n  - { id: a, organization: { id: org_1, name: AT&T }, scopes: [read, write] } # first\n";
  expect(readPlainYaml(line)).toEqual(parseDocument(line).toJS());
});

test("lines may end as Windows ends them", () => {
  const text = "keys:\r\n  - id: a # first\r\n    scopes:\r\n      - read\r\n";
  expect(readPlainYaml(text)).toEqual({ keys: [{ id: "a", scopes: ["read"] }] });
});

const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.:/ -]{0,12}$/);
const record = fc.record(
  {
    id: word,
    name: word,
    organization: fc.record({ id: word, name: word }, { requiredKeys: ["id"] }),
    scopes: fc.array(word, { maxLength: 4 }),
    expires_at: fc.constant("2027-01-01T00:00:00Z"),
  },
  { requiredKeys: ["id"] },
);

test("on whatever the YAML library writes", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 4 }), fc.boolean(), (keys, isFlow) => {
      expect(disagreements(stringify({ keys }, { collectionStyle: isFlow ? "flow" : "any" }))).toEqual([]);
    }),
  );
});

test("on one changed character of a usual key file", () => {
  const usual = [
    "# keys of the demo",
    "keys:",
    "  - id: key_01J9Z6",
    "    name: Production Backend   # the main one",
    `    digest: sha256:${"0f".repeat(32)}`,
    "    organization: { id: org_acme, name: Acme Corp }",
    '    scopes: [memories:read, "*"]',
    "    folders:",
    "      - fld_1",
    "    expires_at: 2027-01-01T00:00:00Z",
    "",
  ].join("\n");
  expect(readPlainYaml(usual)).toEqual(parseDocument(usual).toJS());
  fc.assert(
    fc.property(
      fc.nat(usual.length),
      fc.string({ unit: "binary", maxLength: 2 }),
      fc.nat(2),
      (at, put, cut) => {
        expect(disagreements(usual.slice(0, at) + put + usual.slice(at + cut))).toEqual([]);
      },
    ),
  );
});

test("items that are taken one by one are those of the list, and what cannot be read is not read either way", () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      fc.nat(4),
      (keys, isFlow, stopAt) => {
        const text = stringify({ keys: isFlow ? keys.map(() => "a") : keys, more: { list: ["a", "b"] } });
        const whole = readPlainYaml(text);
        const taken: unknown[] = [];
        const rest = readPlainYaml(text, (item) => taken.push(item) > 0);
        expect(rest === undefined).toBe(whole === undefined);
        if (whole === undefined) return;
        expect({ ...rest, keys: taken }).toEqual(whole);
        let left = stopAt;
        expect(readPlainYaml(text, () => left-- > 0) === undefined).toBe(stopAt < keys.length);
      },
    ),
  );
});
