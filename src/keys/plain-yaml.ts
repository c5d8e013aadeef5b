/**
 * A fast reader for the plain part of YAML that key files are written in: block maps and lists,
 * one-line scalars, one-line `{ }` and `[ ]`. Reading 10,000 keys with the full parser takes about a
 * second, during which a reloading gate would answer nobody; this takes some forty milliseconds. It
 * walks the text once: lines and keys that were objects of their own cost V8 more to collect than to read.
 *
 * It never guesses: whatever it does not surely read as the full parser would (escapes, anchors, tags,
 * block scalars, `${ENV}`, numbers, duplicate keys, anything malformed) makes it give up, and the full
 * parser decides. A property test holds the two together. It knows nothing of keys.
 */
const GIVE_UP = Symbol("not plain");

type PlainMap = Record<string, unknown>;

const DEPTH_MAX = 6;
/** Depth of a list in the outermost map. */
const OUTERMOST = 1;

/**
 * The value of the text; undefined when it is not plain YAML.
 * @param takeItem is given each item of a block list in the outermost map, as soon as it is read, and the
 *   list stays empty: so nothing has to hold all of them at once. False is as good as not plain.
 */
export function readPlainYaml(text: string, takeItem?: (item: unknown) => boolean): PlainMap | undefined {
  // A carriage return anywhere else is not plain.
  const lines = text.includes("\r\n") ? text.replaceAll("\r\n", "\n") : text;
  try {
    return new PlainReader(lines, takeItem).document();
  } catch (error) {
    if (error === GIVE_UP) return undefined;
    throw error;
  }
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const HASH = 0x23;
const DASH = 0x2d;

/** Up to the value that stands on the same line, or to the line's end. */
const KEY = /[a-z][a-z_]*:(?: +|(?=\n)|$)/y;
/** Letters and signs beyond ASCII that neither YAML nor `trim` treats in a special way: no spaces, no controls. */
const LETTERS =
  "\\u00a1-\\u167f\\u2010-\\u2027\\u2030-\\u205e\\u20a0-\\u2bff\\u2e80-\\u2fff\\u3001-\\ud7ff\\ud800-\\udfff";
const WORD = `A-Za-z0-9_${LETTERS}`;
/** Within a plain scalar these mean themselves. */
const SIGNS = " ./@+()'=&!%|<>*~^;-";
/** In a block a plain scalar may hold commas and brackets; `: ` and ` #` end it, so neither may occur. */
const BLOCK_PLAIN = new RegExp(
  `[A-Za-z0-9${LETTERS}](?:[${WORD},?"\\[\\]{}${SIGNS}]|:(?=[${WORD}./*]))*`,
  "y",
);
const FLOW_PLAIN = new RegExp(`[A-Za-z0-9${LETTERS}](?:[${WORD}${SIGNS}]|:(?=[${WORD}./*]))*`, "y");
/** What begins with a digit is no number where one of these follows: `3M`, `2nd floor`. */
const NO_NUMBER = /[ g-mp-wyzG-MP-WYZ]/;
/** YAML 1.2 has no timestamps: these are text. */
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/y;
const DOUBLE_QUOTED = new RegExp(`"[${WORD} !#$%&'()*+,./:;<=>?@[\\]^\`{|}~-]*"`, "y");
const SINGLE_QUOTED = new RegExp(`'[${WORD} !"#$%&()*+,./:;<=>?@[\\]^\`{|}~-]*'`, "y");
/** Plain words that YAML reads as something else than text. */
const NOT_TEXT = /^(?:true|false|null)$/i;

class PlainReader {
  readonly #text: string;
  readonly #takeItem: ((item: unknown) => boolean) | undefined;
  /** Of the line with content that is read now, or of its rest behind `- `; -1 when there is none left. */
  #indent = 0;
  /** Where that content begins; while a line is read, what of it comes next. */
  #at = 0;

  constructor(text: string, takeItem: ((item: unknown) => boolean) | undefined) {
    this.#text = text;
    this.#takeItem = takeItem;
    this.#toContent(0);
  }

  document(): PlainMap {
    if (this.#indent !== 0) throw GIVE_UP;
    const value = this.#map(0, 0);
    if (!this.#isEnded()) throw GIVE_UP;
    return value;
  }

  /** From the beginning of a line to the next content; lines that are blank or only a comment say nothing. */
  #toContent(lineStart: number): void {
    let start = lineStart;
    while (start < this.#text.length) {
      const at = this.#afterSpaces(start);
      const code = this.#text.charCodeAt(at);
      if (code !== NEWLINE && code !== HASH && at < this.#text.length) {
        this.#indent = at - start;
        this.#at = at;
        return;
      }
      start = this.#nextLine(at);
    }
    this.#indent = -1;
  }

  #isEnded(): boolean {
    return this.#indent === -1;
  }

  /** Behind a value: nothing but spaces and a comment may follow. */
  #endLine(): void {
    const at = this.#afterSpaces(this.#at);
    const isComment = this.#text.charCodeAt(at) === HASH && at > this.#at;
    if (!isComment && !this.#isLineEnd(at)) throw GIVE_UP;
    this.#toContent(this.#nextLine(at));
  }

  #nextLine(from: number): number {
    const end = this.#text.indexOf("\n", from);
    return end === -1 ? this.#text.length : end + 1;
  }

  #isLineEnd(at: number): boolean {
    return at >= this.#text.length || this.#text.charCodeAt(at) === NEWLINE;
  }

  #afterSpaces(from: number): number {
    let at = from;
    while (this.#text.charCodeAt(at) === SPACE) at++;
    return at;
  }

  #isItem(): boolean {
    return this.#text.charCodeAt(this.#at) === DASH && this.#text.charCodeAt(this.#at + 1) === SPACE;
  }

  /** Steps over what the pattern matches here. */
  #takes(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  /** Steps over `key: `. */
  #key(map: PlainMap): string {
    const from = this.#at;
    if (!this.#takes(KEY)) throw GIVE_UP;
    const key = this.#text.slice(from, this.#text.indexOf(":", from));
    if (Object.hasOwn(map, key) || NOT_TEXT.test(key)) throw GIVE_UP;
    return key;
  }

  #map(indent: number, depth: number): PlainMap {
    if (depth > DEPTH_MAX) throw GIVE_UP;
    const map: PlainMap = {};
    while (this.#indent === indent && !this.#isItem()) {
      const key = this.#key(map);
      map[key] = this.#isLineEnd(this.#at) ? this.#nested(indent, depth + 1) : this.#lineValue();
    }
    // Content deeper than this map, after a value that was complete: a folded scalar or a mistake.
    if (this.#indent > indent) throw GIVE_UP;
    return map;
  }

  /** What stands below `key:`. A list may stand at the indentation of its key. */
  #nested(indent: number, depth: number): unknown {
    this.#endLine();
    if (this.#indent < indent) throw GIVE_UP;
    if (this.#isItem()) return this.#list(this.#indent, depth);
    if (this.#indent === indent) throw GIVE_UP;
    return this.#map(this.#indent, depth);
  }

  #list(indent: number, depth: number): unknown[] {
    if (depth > DEPTH_MAX) throw GIVE_UP;
    const list: unknown[] = [];
    while (this.#indent === indent && this.#isItem()) {
      const from = this.#afterSpaces(this.#at + 2);
      KEY.lastIndex = from;
      const isMap = KEY.test(this.#text);
      // `- key: value` begins a map whose indentation is that of its first key.
      this.#indent += from - this.#at;
      this.#at = from;
      const item = isMap ? this.#map(this.#indent, depth + 1) : this.#lineValue();
      if (depth > OUTERMOST || this.#takeItem === undefined) list.push(item);
      else if (!this.#takeItem(item)) throw GIVE_UP;
    }
    if (this.#indent > indent) throw GIVE_UP;
    // As an array grows it reserves room for more.
    return list.slice();
  }

  /** A value that fills the rest of its line, comment aside. */
  #lineValue(): unknown {
    const first = this.#text.charAt(this.#at);
    const isFlow = first === "{" || first === "[";
    const value = isFlow ? this.#flowValue(0) : this.#scalar(BLOCK_PLAIN);
    this.#endLine();
    return value;
  }

  #flowValue(depth: number): unknown {
    if (depth > DEPTH_MAX) throw GIVE_UP;
    const first = this.#text.charAt(this.#at);
    if (first === "{") return this.#flowMap(depth + 1);
    return first === "[" ? this.#flowList() : this.#scalar(FLOW_PLAIN);
  }

  #flowMap(depth: number): PlainMap {
    const map: PlainMap = {};
    this.#flowItems("}", () => {
      const key = this.#key(map);
      map[key] = this.#flowValue(depth);
    });
    return map;
  }

  #flowList(): string[] {
    const list: string[] = [];
    this.#flowItems("]", () => list.push(this.#scalar(FLOW_PLAIN)));
    return list.slice();
  }

  /** Walks `item, item` to behind the closing bracket. */
  #flowItems(close: string, readItem: () => void): void {
    this.#at = this.#afterSpaces(this.#at + 1);
    if (this.#text.charAt(this.#at) === close) {
      this.#at++;
      return;
    }
    for (;;) {
      readItem();
      const at = this.#afterSpaces(this.#at);
      const mark = this.#text.charAt(at);
      this.#at = at + 1;
      if (mark === close) return;
      // A comma right before the next item is legal YAML, but not what anybody means to write.
      if (mark !== "," || this.#text.charCodeAt(this.#at) !== SPACE) throw GIVE_UP;
      this.#at = this.#afterSpaces(this.#at);
    }
  }

  #scalar(plain: RegExp): string {
    const from = this.#at;
    const first = this.#text.charAt(from);
    if (first === '"' || first === "'") {
      if (!this.#takes(first === '"' ? DOUBLE_QUOTED : SINGLE_QUOTED)) throw GIVE_UP;
      const quoted = this.#text.slice(from + 1, this.#at - 1);
      if (quoted.includes("${")) throw GIVE_UP;
      return quoted;
    }
    const isNumbered = first >= "0" && first <= "9";
    if (isNumbered && this.#takes(INSTANT)) return this.#text.slice(from, this.#at);
    if (!this.#takes(plain)) throw GIVE_UP;
    while (this.#text.charCodeAt(this.#at - 1) === SPACE) this.#at--;
    const found = this.#text.slice(from, this.#at);
    const mayBeElse = isNumbered ? !NO_NUMBER.test(found) : found.length <= 5 && NOT_TEXT.test(found);
    if (mayBeElse) throw GIVE_UP;
    return found;
  }
}
