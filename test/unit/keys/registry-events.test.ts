/** Server-sent events from bytes, as registries and what stands between may send them. */
import { expect, test } from "vitest";
import { EventParser } from "../../../src/keys/server-events.ts";

function parse(...chunks: readonly string[]): unknown[] {
  const parser = new EventParser(100);
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)));
}

test.for<[string, readonly string[], readonly unknown[]]>([
  ["one event", ["id: a:1\nevent: upsert\ndata: {}\n\n"], [{ id: "a:1", event: "upsert", data: "{}" }]],
  [
    "in any pieces",
    ["id: a", ":1\neve", "nt: upsert\nda", "ta: {}\n", "\n"],
    [{ id: "a:1", event: "upsert", data: "{}" }],
  ],
  ["with CRLF", ["id: a:1\r\nevent: x\r\ndata: 1\r\n\r\n"], [{ id: "a:1", event: "x", data: "1" }]],
  ["without a space", ["id:a:1\nevent:x\ndata:1\n\n"], [{ id: "a:1", event: "x", data: "1" }]],
  ["with several lines of data", ["data: 1\ndata: 2\n\n"], [{ id: "", event: "message", data: "1\n2" }]],
  [
    "the id stays",
    ["id: 7\ndata: 1\n\ndata: 2\n\n"],
    [
      { id: "7", event: "message", data: "1" },
      { id: "7", event: "message", data: "2" },
    ],
  ],
  [
    "comments and other fields are left out",
    [": hello\nretry: 5\nother\n\ndata: 1\n\n"],
    [{ id: "", event: "message", data: "1" }],
  ],
  ["what is not ended is no event", ["data: 1\n"], []],
  ["an event without data is none", ["event: x\n\n"], []],
  ["an id with NUL is ignored", ["id: 1\nid: a\0b\ndata: 1\n\n"], [{ id: "1", event: "message", data: "1" }]],
])("%s", ([, chunks, expected]) => {
  expect(parse(...chunks)).toEqual(expected);
});

test("neither a line nor an event grows without bound", () => {
  expect(() => parse("x".repeat(101))).toThrow("more than 100 bytes");
  expect(() => parse(...Array<string>(10).fill(`data: ${"x".repeat(50)}\n`))).toThrow(RangeError);
});
