/** Edits of a key file touch the lines that they must and no others. */
import { expect, test } from "vitest";
import { editDocument, editLines } from "../../../src/keys/key-file-text.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { keyRecord } from "../../support/key-records.ts";

const DIGEST_1 = keyRecord("secret of the first").digest;

const FILE = `# Keys of the demo
keys:

  # the main one
  - id: key_1            # made by hand
    digest: ${DIGEST_1}
    organization: {id: org_acme,   name: "Acme Corp"}
    scopes: [read, write] # both
    # more about it

  # the second
  - { id: key_2, secret: "\${DEV_KEY}", organization: { id: org_b } } # short
# the end
allow_empty: true # really
`;

const changed = (id: string, more: Partial<KeyRecord>): KeyRecord => keyRecord("any", { id, ...more });
const added = keyRecord("new", { id: "key_3", name: "New: one", scopes: ["read", "*"] });

/** The lines that are in one text and not in the other. */
function difference(before: string, after: string): { removed: string[]; added: string[] } {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return {
    removed: old.filter((line) => !now.includes(line)),
    added: now.filter((line) => !old.includes(line)),
  };
}

test("revoking puts in one line", () => {
  const edited = editLines(FILE, {
    added: [],
    changed: [changed("key_1", { revoked_at: "2026-06-01T00:00:00Z" })],
  });
  expect(edited).toBe(FILE.replace("# both\n", "# both\n    revoked_at: 2026-06-01T00:00:00Z\n"));
});

test("a key written in one line stays in one line", () => {
  const edited = editLines(FILE, {
    added: [],
    changed: [changed("key_2", { revoked_at: "2026-06-01T00:00:00Z" })],
  });
  expect(edited).toBe(FILE.replace("org_b } }", "org_b }, revoked_at: 2026-06-01T00:00:00Z }"));
});

test("a value that stands there is replaced, its comment kept", () => {
  const before = FILE.replace("    # more", '    expires_at: "2027-01-01T00:00:00Z" # next year\n    # more');
  const edited = editLines(before, {
    added: [],
    changed: [changed("key_1", { expires_at: "2026-06-01T00:00:00Z" })],
  });
  expect(edited).toBe(before.replace('"2027-01-01T00:00:00Z"', "2026-06-01T00:00:00Z"));
});

test("a new key stands at the end of the list, indented like the others", () => {
  const edited = editLines(FILE, { added: [added], changed: [] }) ?? "";
  expect(difference(FILE, edited)).toEqual({
    removed: [],
    added: [
      "  - id: key_3",
      `    digest: ${added.digest}`,
      "    organization: { id: org_acme }",
      '    scopes: [read, "*"]',
      '    name: "New: one"',
    ],
  });
  expect(edited.indexOf("key_3")).toBeGreaterThan(edited.indexOf("# short"));
  expect(edited.indexOf("key_3")).toBeLessThan(edited.indexOf("# the end"));
});

test("rotation of the last key changes it and adds its successor in one go", () => {
  const before = `keys:\n- id: key_1\n  digest: ${DIGEST_1}`;
  const old = changed("key_1", {
    expires_at: "2026-06-02T00:00:00Z",
    rotated_at: "2026-06-01T00:00:00Z",
    successor: "key_3",
  });
  expect(
    editLines(before, { added: [added], changed: [old] })
      ?.split("\n")
      .slice(0, 7),
  ).toEqual([
    "keys:",
    "- id: key_1",
    `  digest: ${DIGEST_1}`,
    "  expires_at: 2026-06-02T00:00:00Z",
    "  rotated_at: 2026-06-01T00:00:00Z",
    "  successor: key_3",
    "- id: key_3",
  ]);
});

test("comments that belong to the last key stay with it", () => {
  const before = `keys:\n  - id: key_1\n    digest: x\n    # of key_1\n# of the file\n`;
  const lines = editLines(before, { added: [added], changed: [] })?.split("\n") ?? [];
  expect(lines[4]).toBe("  - id: key_3");
  expect(lines.at(-2)).toBe("# of the file");
});

test("line ends of Windows are kept", () => {
  const before = FILE.replaceAll("\n", "\r\n");
  const edited = editLines(before, { added: [added], changed: [] }) ?? "";
  expect(edited.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
});

test("the first key takes the place of the brackets", () => {
  const edited = editLines("# a\nkeys: [] # none yet\nallow_empty: true\n", { added: [added], changed: [] });
  expect(edited?.split("\n").slice(0, 4)).toEqual([
    "# a",
    "keys: # none yet",
    "  - id: key_3",
    `    digest: ${added.digest}`,
  ]);
  expect(edited).toMatch(/\nallow_empty: true\n$/);
  expect(editLines("keys: []", { added: [added], changed: [] })).toMatch(/^keys:\n {2}- id: key_3\n/);
});

test("JSON is written anew", () => {
  const text = '{"keys": [{"id": "key_1", "digest": "x"}]}\n';
  expect(editLines(text, { added: [added], changed: [] })).toBeUndefined();
  expect(editDocument(text, { added: [added], changed: [] })).toContain("key_3");
});
