/** Whatever a person wrote into a key file besides the keys is still there after an edit. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { parseKeyFile } from "../../../src/keys/file-source.ts";
import { editDocument, editLines } from "../../../src/keys/key-file-text.ts";
import { revokeKey } from "../../../src/keys/life-cycle.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { keyRecord } from "../../support/key-records.ts";

const comment = fc.stringMatching(/^[ -~]{0,20}$/).map((text) => `# ${text}`);
/** Lines that mean nothing: comments and blanks. */
const noise = fc.array(fc.oneof(fc.constant(""), comment), { maxLength: 2 });

interface Layout {
  readonly isFlow: boolean;
  readonly above: readonly string[];
  readonly inside: readonly string[];
  readonly behind: string;
}

const layout: fc.Arbitrary<Layout> = fc.record({
  isFlow: fc.boolean(),
  above: noise,
  inside: noise,
  behind: fc.oneof(
    fc.constant(""),
    comment.map((text) => ` ${text}`),
  ),
});

function writeKey({ isFlow, above, inside, behind }: Layout, n: number, indent: string): string {
  const pad = (lines: readonly string[], by: string): string =>
    lines.map((line) => `${line && by + line}\n`).join("");
  const fields = [
    `id: key_${n}`,
    `digest: "${formatDigest(digestOf(`${n}`))}"`,
    "organization: { id: org_a }",
  ];
  const item = isFlow
    ? `{ ${fields.join(", ")} }${behind}\n`
    : `${fields[0]}${behind}\n${pad(inside, `${indent}  `)}${indent}  ${fields.slice(1).join(`\n${indent}  `)}${behind}\n`;
  return `${pad(above, indent)}${indent}- ${item}`;
}

const files = fc
  .record({
    keys: fc.array(layout, { minLength: 1, maxLength: 5 }),
    indent: fc.constantFrom("", "  ", "    "),
    above: noise,
    below: noise,
    isEnded: fc.boolean(),
  })
  .map(({ keys, indent, above, below, isEnded }) => {
    const list = keys.map((key, n) => writeKey(key, n, indent)).join("");
    const text = `${above.join("\n")}\nkeys:\n${list}${below.join("\n")}`;
    return { text: isEnded ? `${text}\n` : text.trimEnd(), count: keys.length };
  });

const recordsOf = (text: string): readonly KeyRecord[] => {
  const loaded = parseKeyFile(text, "keys.yaml", {});
  if (!loaded.ok) throw new Error(`${text}\n${JSON.stringify(loaded.faults)}`);
  return [...loaded.records.values()];
};

const added = keyRecord("new", { id: "key_new", name: "# not a comment", scopes: ["*", "a:b"] });

/** The lines of a text that are not among those of another one, each counted. */
function missingLines(before: string, after: string): readonly string[] {
  const left = after.split("\n");
  return before.split("\n").filter((line) => {
    const at = left.indexOf(line);
    if (at !== -1) left.splice(at, 1);
    return at === -1 && line.trim() !== "";
  });
}

test("adding and revoking keep every line, and change nothing but what was asked", () => {
  fc.assert(
    fc.property(files, fc.nat(), ({ text, count }, pick) => {
      const records = recordsOf(text);
      const target = records[pick % count] ?? added;
      const revoked = revokeKey(target, 0);
      const edited = editLines(text, { added: [added], changed: [revoked] });
      if (edited === undefined) throw new Error(`not editable:\n${text}`);
      expect(recordsOf(edited)).toEqual([
        ...records.map((record) => (record === target ? revoked : record)),
        added,
      ]);
      // A key in one line is the only line that may change.
      const missing = missingLines(text, edited);
      expect(missing.length).toBeLessThanOrEqual(1);
      for (const line of missing) expect(line).toContain(`{ id: ${target.id},`);
    }),
  );
});

test("where the document is written anew, comments and keys are all still there", () => {
  fc.assert(
    fc.property(files, ({ text }) => {
      const edited = editDocument(text, { added: [added], changed: [] });
      expect(recordsOf(edited)).toEqual([...recordsOf(text), added]);
      const comments = (written: string): readonly string[] =>
        [...written.matchAll(/(?:^|\s)#(.*)$/gm)].map(([, body]) => body?.trim() ?? "").toSorted();
      expect(comments(edited.replace('name: "# not a comment"', ""))).toEqual(comments(text));
    }),
  );
});
