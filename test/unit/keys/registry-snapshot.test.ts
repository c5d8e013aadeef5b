/** A snapshot counts when it is whole and proven, and not before. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Digest, digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { SnapshotDraft } from "../../../src/keys/snapshot-draft.ts";
import { type SnapshotHead, readSnapshot } from "../../../src/keys/snapshot-reader.ts";
import { keyRecord } from "../../support/key-records.ts";

const record = (index: number) => keyRecord(`secret-${index}`, { id: `key_${index}` });
const HEAD = { kind: "snapshot", epoch: "e1", rev: 7 } as const;

interface Parts {
  readonly head?: object;
  readonly lines?: readonly unknown[];
  readonly end?: object;
}

function write({ head = {}, lines = [record(1), record(2)], end = {} }: Parts = {}): string {
  const body = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
  const sha256 = createHash("sha256").update(body).digest("hex");
  const first = { ...HEAD, count: lines.length, ...head };
  return `${JSON.stringify(first)}\n${body}${JSON.stringify({ kind: "end", rev: 7, count: lines.length, sha256, ...end })}\n`;
}

async function read(text: string, wants: (head: SnapshotHead) => boolean = () => true) {
  const draft = new SnapshotDraft(wants, () => undefined);
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let start = 0; start < bytes.length; start += 50) yield bytes.subarray(start, start + 50);
  }
  return { draft, head: await readSnapshot(pieces(), draft) };
}

const digest = (index: number): Digest => digestOf(`secret-${index}`);

test("a whole snapshot", async () => {
  const { draft, head } = await read(write());
  expect(head).toEqual({ ...HEAD, count: 2 });
  expect([draft.keys.size, draft.keys.get(digest(1)), draft.keys.get(digest(2))]).toEqual([
    2,
    record(1),
    record(2),
  ]);
});

test("an empty one, and one without a last line end", async () => {
  expect((await read(write({ lines: [] }))).draft.keys.size).toBe(0);
  expect((await read(write().trimEnd())).draft.keys.size).toBe(2);
});

test("a delta tells what is there and what is gone", async () => {
  const removed = { kind: "removed", id: "key_3", digest: formatDigest(digest(3)) };
  const { draft } = await read(write({ head: { kind: "delta" }, lines: [record(1), removed] }));
  expect(draft.changes).toEqual([
    { kind: "record", digest: digest(1), record: record(1) },
    { kind: "removed", digest: digest(3) },
  ]);
});

test("whoever wants no more reads no more", async () => {
  const { draft, head } = await read(write(), () => false);
  expect([head, draft.head?.rev, draft.keys.size]).toEqual([undefined, 7, 0]);
});

describe("is refused", () => {
  const whole = write();
  test("cut anywhere", async () => {
    for (let length = 0; length < whole.length - 1; length += 3) {
      await expect(read(whole.slice(0, length)), `cut at ${length}`).rejects.toMatchObject({
        kind: "garbage",
      });
    }
  });

  test.for<[string, string]>([
    ["another checksum", write({ end: { sha256: "0".repeat(64) } })],
    ["a changed byte", whole.replace('"key_1"', '"key_7"')],
    ["lines that were swapped", whole.replace(/^(.*\n)(.*\n)(.*\n)/, "$1$3$2")],
    ["a line less", whole.replace(/^(.*\n).*\n/, "$1")],
    ["another count in the head", write({ head: { count: 3 } })],
    ["another count in the end", write({ end: { count: 3 } })],
    ["another revision in the end", write({ end: { rev: 8 } })],
    ["something behind the end", `${whole}{}\n`],
    ["two snapshots", whole + whole],
    ["no head", whole.replace(/^.*\n/, "")],
    ["a head of a newer kind", write({ head: { kind: "riddle" } })],
    ["an epoch that could not stand in a header", write({ head: { epoch: "e 1\r\n" } })],
    ["a line that is not JSON", write({ lines: [record(1), "{"] })],
    ["a line that never ends", write({ lines: [record(1), { ...record(2), name: "x".repeat(200_000) }] })],
    [
      "a removal that names nobody",
      write({ head: { kind: "delta" }, lines: [{ kind: "removed", id: "key_1" }] }),
    ],
    ["only records that are not understood", write({ lines: [{ ...record(1), more: 1 }] })],
    ["a web page", "<!doctype html>\n<title>Sign in</title>\n"],
  ])("%s", async ([, text]) => {
    await expect(read(text)).rejects.toMatchObject({ name: "RegistryFault", kind: "garbage" });
  });
});

describe("a record that is not understood", () => {
  test.for<[string, object]>([
    ["a field that is not known", { only_on: "tuesdays" }],
    ["an id with a line end", { id: "key_1\r\nX-Org-Id: other" }],
    ["no organization", { organization: undefined }],
    ["an organization that is a number", { organization: 7 }],
    ["a date that is none", { expires_at: "soon" }],
    ["scopes that are text", { scopes: "read" }],
  ])("%s: its digest is refused, the others count", async ([, change]) => {
    const { draft } = await read(write({ lines: [record(1), { ...record(2), ...change }, record(3)] }));
    expect([draft.keys.get(digest(1)), draft.keys.get(digest(2)), draft.keys.get(digest(3))]).toEqual([
      record(1),
      "refused",
      record(3),
    ]);
  });

  test("without a digest that can be read refuses nobody in particular", async () => {
    const { draft } = await read(write({ lines: [record(1), { ...record(2), digest: "sha256:zz" }] }));
    expect([draft.keys.size, draft.keys.refused]).toEqual([1, 0]);
  });

  test("up to one in a hundred is borne, more are not", async () => {
    const many = (bad: number) =>
      write({
        lines: Array.from({ length: 2000 }, (_, i) => (i < bad ? { ...record(i), more: 1 } : record(i))),
      });
    expect((await read(many(20))).draft.keys.refused).toBe(20);
    await expect(read(many(21))).rejects.toMatchObject({ kind: "garbage" });
  });
});
