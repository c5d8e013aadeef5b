/**
 * YAML text → plain value and a way back from each part of the value to its place in the text.
 * Only what JSON could hold is let through: aliases, tags, merge keys, several documents and
 * duplicate keys are faults, because two readers could see two different files in them.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type ErrorCode,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { FaultCode, Position } from "./fault.ts";
import { expandVariables, hideReferences, showReferences, type Environment } from "./interpolate.ts";

export type Path = readonly PropertyKey[];

/** A fault by its place in the text. */
export interface TreeFault {
  readonly code: FaultCode;
  readonly message: string;
  readonly offset: number;
}

export interface TreeLimits {
  readonly depthMax: number;
}

export class YamlTree {
  readonly faults: TreeFault[] = [];
  /** Mappings, lists, texts, numbers, booleans and null. */
  readonly value: unknown;
  readonly #text: string;
  /** The text as the parser sees it; the same length. */
  readonly #hidden: string;
  readonly #areHidden: boolean;
  readonly #env: Environment;
  readonly #depthMax: number;
  readonly #lines = new LineCounter();
  readonly #root: Node | null;
  /** Scalars whose text came, at least in part, from the environment. */
  readonly #expanded = new Set<unknown>();
  /** Parts that have a fault already: what stands in their place in the value is made up. */
  readonly #faulty = new Set<unknown>();
  /** The text could be parsed, so that `value` is worth checking. */
  readonly isReadable: boolean;

  constructor(text: string, env: Environment, limits: TreeLimits) {
    this.#text = text;
    this.#hidden = hideReferences(text);
    this.#areHidden = this.#hidden !== text;
    this.#env = env;
    this.#depthMax = limits.depthMax;
    this.#root = this.#parse()?.contents ?? null;
    // What is built from broken text would only be faulted for what the text did not say.
    this.isReadable = this.faults.length === 0;
    this.value = this.isReadable && this.#root !== null ? this.#valueOf(this.#root, 0) : null;
  }

  position(offset: number): Position {
    const { line, col } = this.#lines.linePos(Math.min(offset, this.#text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** The text of a line, counted from 1. */
  line(number: number): string {
    const start = this.#lines.lineStarts[number - 1] ?? 0;
    const end = this.#text.indexOf("\n", start);
    return this.#text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  }

  /** Where a value stands, or its key; the nearest thing around it when it is not in the file. */
  offsetOf(path: Path, part: "key" | "value"): number {
    const { pair, node, isWhole } = this.#find(path);
    const key = pair?.key;
    if (key !== undefined && (part === "key" || !isWhole || isEmpty(node))) return startOf(key);
    return startOf(node ?? this.#root);
  }

  /** Did this scalar's text come from the environment? */
  isExpanded(path: Path): boolean {
    const { node, isWhole } = this.#find(path);
    return isWhole && this.#expanded.has(node);
  }

  /** Was a fault found in this part already, while it was read? */
  isFaulty(path: Path): boolean {
    const { node, isWhole } = this.#find(path);
    return isWhole && this.#faulty.has(node);
  }

  #parse(): Document | undefined {
    try {
      const document = parseDocument(this.#hidden, {
        lineCounter: this.#lines,
        prettyErrors: false,
        stringKeys: true,
        // Checked below: the parser's own check takes quadratic time.
        uniqueKeys: false,
        schema: "core",
        merge: false,
        resolveKnownTags: false,
        // "silent" would let a second document pass unseen.
        logLevel: "error",
      });
      for (const { message, pos, code } of [...document.errors, ...document.warnings]) {
        this.#fault("syntax", OWN_WORDS[code] ?? this.#asWritten(firstLine(message)), pos[0]);
        // From here on the parser is out of step, and faults whatever follows.
        if (code === "UNEXPECTED_TOKEN") break;
      }
      const { explicit, version } = document.directives?.yaml ?? {};
      if (explicit === true && version !== "1.2") this.#fault("syntax", "only YAML 1.2 is supported", 0);
      return document;
    } catch (error) {
      // The parser recurses: absurd nesting ends in a stack overflow, not in a parse error.
      if (!(error instanceof RangeError)) throw error;
      this.#fault("syntax", "is nested too deeply", 0);
      return undefined;
    }
  }

  #asWritten(parsed: string): string {
    return this.#areHidden ? showReferences(parsed) : parsed;
  }

  #fault(code: FaultCode, message: string, offset: number, node?: unknown): void {
    this.faults.push({ code, message, offset });
    if (node !== undefined) this.#faulty.add(node);
  }

  #valueOf(node: unknown, depth: number): unknown {
    if (isScalar(node)) return this.#scalar(node);
    if (depth >= this.#depthMax && (isMap(node) || isSeq(node))) {
      this.#fault("syntax", `is nested more than ${this.#depthMax} levels deep`, startOf(node), node);
      return null;
    }
    if (isMap(node)) return this.#mapping(node, depth);
    if (isSeq(node)) return node.items.map((item) => this.#valueOf(item, depth + 1));
    if (isAlias(node)) {
      this.#fault("syntax", "aliases (*) are not supported; write the value again", startOf(node), node);
    }
    return null;
  }

  #mapping(map: YAMLMap, depth: number): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const { key, value: node } of map.items) {
      if (!isScalar(key)) {
        this.#fault("syntax", "a key must be plain text", startOf(isAlias(key) ? key : map));
        continue;
      }
      const name = this.#asWritten(String(key.value));
      if (seen.has(name)) this.#fault("syntax", `the key "${name}" stands here twice`, startOf(key));
      else if (name === "__proto__") this.#fault("unknown_key", `unknown key "${name}"`, startOf(key));
      else if (name.includes("${"))
        this.#fault("variable", "variables are not expanded in keys", startOf(key));
      else value[name] = this.#valueOf(node, depth + 1);
      seen.add(name);
    }
    return value;
  }

  #scalar(node: Scalar): unknown {
    if (typeof node.value !== "string") return node.value;
    const value = this.#asWritten(node.value);
    const expansion = expandVariables(value, this.#env);
    if (expansion === undefined) return value;
    this.#expanded.add(node);
    let from = startOf(node);
    for (const { message, written } of expansion.faults) {
      const at = this.#text.indexOf(written, from);
      const isInside = at !== -1 && at < (node.range?.[1] ?? 0);
      this.#fault("variable", message, isInside ? at : startOf(node), node);
      if (isInside) from = at + written.length;
    }
    return expansion.text;
  }

  #find(path: Path): { pair: Pair<Node> | undefined; node: Node | undefined; isWhole: boolean } {
    let pair: Pair<Node> | undefined;
    let node: Node | undefined = this.#root ?? undefined;
    for (const part of path) {
      let next: unknown;
      let nextPair: Pair<Node> | undefined;
      if (isMap<Node>(node)) {
        nextPair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
        next = nextPair?.value;
      } else if (isSeq(node)) {
        next = node.items[Number(part)];
      }
      if (nextPair === undefined && next === undefined) return { pair, node, isWhole: false };
      pair = nextPair;
      node = (next ?? undefined) as Node | undefined;
    }
    return { pair, node, isWhole: true };
  }
}

/** Where the parser's words are for programmers. */
const OWN_WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  TAG_RESOLVE_FAILED: "tags (!) are not supported",
  NON_STRING_KEY: "a key must be plain text",
  MULTIPLE_DOCS: "a second document begins here; a file holds one",
};

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}

/** `key:` with nothing behind it. */
function isEmpty(node: Node | undefined): boolean {
  return node === undefined || (isScalar(node) && node.value === null && (node.source ?? "") === "");
}

/** The parser's messages are sentences, sometimes with advice for programmers below. */
function firstLine(message: string): string {
  const line = message.split("\n", 1)[0] ?? message;
  return line.charAt(0).toLowerCase() + line.slice(1);
}
