/**
 * Changes to the text of a key file. People keep these files in git and write comments in them, so an
 * edit touches only the lines that it must: new lines are put in, single values are replaced. Where the
 * file's layout does not allow that (JSON, say), the `yaml` library writes the document anew,
 * which keeps comments and order but not spacing. Knows nothing of files on disk.
 */
import { isMap, isScalar, isSeq, parseDocument, Document, type YAMLMap, type YAMLSeq } from "yaml";
import type { KeyRecord } from "./record.ts";

/** Fields that the life of a key sets. */
const LIFE_FIELDS = ["expires_at", "revoked_at", "rotated_at", "successor"] as const;

export interface KeyFileChanges {
  /** Keys to write at the end of the list. */
  readonly added: readonly KeyRecord[];
  /** Keys of the file whose life fields are to be set; other fields stay as they are. */
  readonly changed: readonly KeyRecord[];
}

/** What a new key file begins with. */
export const NEW_KEY_FILE = `# API keys of this gate. A key's secret is shown once, when it is made; here stands only its SHA-256 digest.
# Make, rotate and revoke keys with \`keyward keys\`; the gate follows each change.
keys: []
`;

/** The text with its lines kept; undefined when the layout does not allow it. */
export function editLines(text: string, { added, changed }: KeyFileChanges): string | undefined {
  const { contents } = parseDocument(text);
  const list = isMap(contents) && contents.flow !== true ? contents.get("keys") : undefined;
  if (!isSeq(list) || !list.range) return undefined;
  const splices: Splice[] = [];
  for (const record of changed) {
    const item = itemOf(list, record.id);
    if (item === undefined) return undefined;
    for (const [field, value] of lifeOf(record)) {
      const splice = fieldSplice(text, item, field, value);
      if (splice === undefined) return undefined;
      splices.push(splice);
    }
  }
  if (list.items.length === 0) {
    // `keys: []`: the brackets go, what follows them on their line stays.
    const from = text.slice(0, list.range[0]).trimEnd().length;
    splices.push({ from, to: list.range[1], text: "" });
    splices.push(lineSplice(text, endOfLine(text, list.range[1]), itemLines(added, "  ")));
  } else if (added.length > 0) {
    const splice = itemSplice(text, list, added);
    if (splice === undefined) return undefined;
    splices.push(splice);
  }
  return applySplices(text, splices);
}

/** The document written anew by the library. */
export function editDocument(text: string, { added, changed }: KeyFileChanges): string {
  const document = parseDocument(text);
  const list = document.get("keys");
  if (!isSeq(list)) throw new Error("the key file has no list of keys");
  for (const record of changed) {
    const item = itemOf(list, record.id);
    for (const [field, value] of lifeOf(record)) item?.set(field, value);
  }
  if (added.length > 0 && list.items.length === 0) list.flow = false;
  for (const record of added) list.add(nodeOf(document, record));
  return document.toString({ lineWidth: 0 });
}

/** Put `text` where `from` to `to` stood. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** From the end, so that earlier places stay true; those at one place keep their order. */
function applySplices(text: string, splices: readonly Splice[]): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  let edited = text;
  for (const splice of splices.toReversed().toSorted((a, b) => b.from - a.from)) {
    const put = splice.text.replaceAll("\n", newline);
    edited = edited.slice(0, splice.from) + put + edited.slice(splice.to);
  }
  return edited;
}

function itemOf(list: YAMLSeq, id: string): YAMLMap | undefined {
  return list.items.find((item): item is YAMLMap => isMap(item) && item.get("id") === id);
}

function lifeOf(record: KeyRecord): [string, string][] {
  return LIFE_FIELDS.flatMap((field) => {
    const value = record[field];
    return value === undefined ? [] : [[field, value] as [string, string]];
  });
}

function fieldSplice(text: string, item: YAMLMap, field: string, value: string): Splice | undefined {
  const old = item.get(field, true);
  if (old !== undefined) {
    if (!isScalar(old) || !old.range) return undefined;
    const [from, to] = old.range;
    return { from, to: old.value === value ? from : to, text: old.value === value ? "" : value };
  }
  if (!item.range) return undefined;
  const [start, end] = item.range;
  if (item.flow === true) {
    const close = text.slice(start, end).search(/\s*\}$/);
    if (close === -1) return undefined;
    return { from: start + close, to: start + close, text: `, ${field}: ${value}` };
  }
  const line = `${" ".repeat(columnOf(text, start))}${field}: ${value}\n`;
  return lineSplice(text, end, line);
}

function itemSplice(text: string, list: YAMLSeq, added: readonly KeyRecord[]): Splice | undefined {
  const last = list.items.at(-1);
  if (list.flow === true || !list.range || !isMap(last) || !last.range) return undefined;
  const indent = " ".repeat(columnOf(text, list.range[0]));
  return lineSplice(text, endOfItem(text, last.range[1], indent.length), itemLines(added, indent));
}

function itemLines(records: readonly KeyRecord[], indent: string): string {
  const items = records.map((record) => {
    const written = nodeText(record).trimEnd().split("\n");
    return `${indent}- ${written.join(`\n${indent}  `)}\n`;
  });
  return items.join("");
}

/** Behind the last line of an item and the comments that are indented as its own. */
function endOfItem(text: string, valueEnd: number, dashColumn: number): number {
  let end = valueEnd;
  if (text.charAt(end - 1) !== "\n") end = endOfLine(text, end);
  for (;;) {
    const comment = /^( *)#/.exec(text.slice(end, endOfLine(text, end)));
    if (comment?.[1] === undefined || comment[1].length <= dashColumn) return end;
    end = endOfLine(text, end);
  }
}

/** The start of the next line. */
function endOfLine(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at === -1 ? text.length : at + 1;
}

/** Lines put in at the start of a line, or behind a last line that has no newline. */
function lineSplice(text: string, at: number, lines: string): Splice {
  const isLineStart = at === 0 || text.charAt(at - 1) === "\n";
  return { from: at, to: at, text: isLineStart ? lines : `\n${lines.trimEnd()}` };
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}

function nodeText(record: KeyRecord): string {
  const document = new Document();
  document.contents = nodeOf(document, record);
  // The library pads lists as it pads maps; people write [read, write].
  return document.toString({ lineWidth: 0 }).replace(/^(scopes|folders): \[ (.*) \]$/gm, "$1: [$2]");
}

/** A record as the documentation writes it: a field a line, what is inside a field in one line. */
function nodeOf(document: Document, record: KeyRecord): YAMLMap {
  const map = document.createNode(record) as YAMLMap;
  for (const { value } of map.items) if (isMap(value) || isSeq(value)) value.flow = true;
  return map;
}
