/**
 * A fast reader for the plain part of YAML that key files are written in: block maps and lists,
 * one-line scalars, one-line `{ }` and `[ ]`. Reading 10,000 keys with the full parser takes about a
 * second, during which a reloading gate would answer nobody; this takes some thirty milliseconds.
 *
 * It never guesses: whatever it does not surely read as the full parser would (escapes, anchors, tags,
 * block scalars, `${ENV}`, numbers, duplicate keys, anything malformed) makes it give up, and the full
 * parser decides. A property test holds the two together. It knows nothing of keys.
 */
const GIVE_UP = Symbol("not plain");

interface Line {
  indent: number;
  text: string;
}

type PlainMap = Record<string, unknown>;

const DEPTH_MAX = 6;

/** The value of the text; undefined when it is not plain YAML. */
export function readPlainYaml(text: string): unknown {
  try {
    const reader = new PlainReader(linesOf(text));
    return reader.document();
  } catch (error) {
    if (error === GIVE_UP) return undefined;
    throw error;
  }
}

/** Lines with content; those that are blank or only a comment say nothing. */
function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const whole of text.split("\n")) {
    const content = whole.trimStart();
    if (content === "" || content.startsWith("#")) {
      // A tab or an odd space before a comment is the full parser's business.
      if (!/^ *$/.test(whole.slice(0, whole.length - content.length))) throw GIVE_UP;
      continue;
    }
    const indent = whole.length - content.length;
    for (let at = 0; at < indent; at++) if (whole.charCodeAt(at) !== 0x20) throw GIVE_UP;
    lines.push({ indent, text: content });
  }
  return lines;
}

const KEY = /([a-z][a-z_]*):(?: +|$)/y;
/** Letters beyond ASCII that neither YAML nor `trim` treats in a special way: no spaces, no controls. */
const LETTERS = "\\u00c0-\\u167f\\u2e80-\\u2fff\\u3001-\\ud7ff";
const WORD = `A-Za-z0-9_${LETTERS}`;
/** In a block a plain scalar may hold commas; `: ` and ` #` end it, so neither may occur. */
const BLOCK_PLAIN = new RegExp(`[A-Za-z${LETTERS}](?:[${WORD} ./@+,()'=-]|:(?=[${WORD}./*]))*`, "y");
const FLOW_PLAIN = new RegExp(`[A-Za-z${LETTERS}](?:[${WORD} ./@+()'=-]|:(?=[${WORD}./*]))*`, "y");
/** YAML 1.2 has no timestamps: these are text. Nothing else that begins with a digit is taken. */
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/y;
const DOUBLE_QUOTED = new RegExp(`"([${WORD} !#$%&'()*+,./:;<=>?@[\\]^\`{|}~-]*)"`, "y");
const SINGLE_QUOTED = new RegExp(`'([${WORD} !"#$%&()*+,./:;<=>?@[\\]^\`{|}~-]*)'`, "y");
const LINE_END = /(?: *| +#.*)$/y;
const SPACES = / */y;
/** Plain words that YAML reads as something else than text. */
const NOT_TEXT = /^(?:true|false|null)$/i;

class PlainReader {
  readonly #lines: readonly Line[];
  #next = 0;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  document(): PlainMap {
    const first = this.#lines[0];
    if (first === undefined || first.indent !== 0) throw GIVE_UP;
    const value = this.#map(0, 0);
    if (this.#next < this.#lines.length) throw GIVE_UP;
    return value;
  }

  #map(indent: number, depth: number): PlainMap {
    if (depth > DEPTH_MAX) throw GIVE_UP;
    const map: PlainMap = {};
    for (let line = this.#lines[this.#next]; line?.indent === indent; line = this.#lines[this.#next]) {
      if (line.text.startsWith("- ")) break;
      const key = match(KEY, line.text, 0)?.[1];
      if (key === undefined || Object.hasOwn(map, key)) throw GIVE_UP;
      this.#next++;
      const end = KEY.lastIndex;
      map[key] =
        match(LINE_END, line.text, end) === null
          ? lineValue(line.text, end)
          : this.#nested(indent, depth + 1);
    }
    // Content deeper than this map, after a value that was complete: a folded scalar or a mistake.
    if ((this.#lines[this.#next]?.indent ?? 0) > indent) throw GIVE_UP;
    return map;
  }

  /** What stands below `key:`. A list may stand at the indentation of its key. */
  #nested(indent: number, depth: number): unknown {
    const line = this.#lines[this.#next];
    if (line === undefined || line.indent < indent) throw GIVE_UP;
    if (line.text.startsWith("- ")) return this.#list(line.indent, depth);
    if (line.indent === indent) throw GIVE_UP;
    return this.#map(line.indent, depth);
  }

  #list(indent: number, depth: number): unknown[] {
    if (depth > DEPTH_MAX) throw GIVE_UP;
    const list: unknown[] = [];
    for (let line = this.#lines[this.#next]; line?.indent === indent; line = this.#lines[this.#next]) {
      if (!line.text.startsWith("- ")) break;
      match(SPACES, line.text, 2);
      const from = Math.max(2, SPACES.lastIndex);
      if (match(KEY, line.text, from) === null) {
        this.#next++;
        list.push(lineValue(line.text, from));
      } else {
        // `- key: value` begins a map whose indentation is that of its first key.
        line.indent += from;
        line.text = line.text.slice(from);
        list.push(this.#map(line.indent, depth + 1));
      }
    }
    if ((this.#lines[this.#next]?.indent ?? 0) > indent) throw GIVE_UP;
    return list;
  }
}

/** A value that fills the rest of its line, comment aside. */
function lineValue(text: string, from: number): unknown {
  const first = text.charAt(from);
  const [value, end] =
    first === "{"
      ? flowMap(text, from)
      : first === "["
        ? flowList(text, from)
        : scalar(text, from, BLOCK_PLAIN);
  if (match(LINE_END, text, end) === null) throw GIVE_UP;
  return value;
}

function flowMap(text: string, from: number): [PlainMap, number] {
  const map: PlainMap = {};
  const end = flowItems(text, from, "}", (at) => {
    const key = match(KEY, text, at)?.[1];
    if (key === undefined || Object.hasOwn(map, key)) throw GIVE_UP;
    const [value, after] = scalar(text, KEY.lastIndex, FLOW_PLAIN);
    map[key] = value;
    return after;
  });
  return [map, end];
}

function flowList(text: string, from: number): [string[], number] {
  const list: string[] = [];
  const end = flowItems(text, from, "]", (at) => {
    const [value, after] = scalar(text, at, FLOW_PLAIN);
    list.push(value);
    return after;
  });
  return [list, end];
}

/** Walks `item, item` up to the closing bracket. @returns the position behind it */
function flowItems(text: string, from: number, close: string, readItem: (at: number) => number): number {
  let at = skipSpaces(text, from + 1);
  if (text.charAt(at) === close) return at + 1;
  for (;;) {
    at = skipSpaces(text, readItem(at));
    const mark = text.charAt(at);
    if (mark === close) return at + 1;
    // A comma right before the next item is legal YAML, but not what anybody means to write.
    if (mark !== "," || text.charAt(at + 1) !== " ") throw GIVE_UP;
    at = skipSpaces(text, at + 1);
  }
}

function scalar(text: string, from: number, plain: RegExp): [string, number] {
  const first = text.charAt(from);
  if (first === '"' || first === "'") {
    const pattern = first === '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
    const quoted = match(pattern, text, from)?.[1];
    if (quoted === undefined || quoted.includes("${")) throw GIVE_UP;
    return [quoted, pattern.lastIndex];
  }
  const pattern = first >= "0" && first <= "9" ? INSTANT : plain;
  const found = match(pattern, text, from)?.[0].trimEnd();
  if (found === undefined || NOT_TEXT.test(found)) throw GIVE_UP;
  return [found, from + found.length];
}

function skipSpaces(text: string, from: number): number {
  match(SPACES, text, from);
  return SPACES.lastIndex;
}

function match(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}
