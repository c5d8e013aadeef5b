/**
 * Reads a YAML document: text, environment and schema in; the typed value or every fault out. It
 * knows nothing of what the document is about.
 */
import type { z } from "zod";
import { formatSize } from "../base/size.ts";
import { fileFault, type Fault, type FaultCode } from "./fault.ts";
import type { Environment } from "./interpolate.ts";
import { validate } from "./validate.ts";
import { YamlTree, type Path, type TreeFault } from "./yaml-tree.ts";

export interface ReadOptions<T> {
  /** Name of the file, as faults show it. */
  readonly file: string;
  readonly env: Environment;
  readonly schema: z.ZodType<T>;
  readonly limits?: DocumentLimits;
}

export interface DocumentLimits {
  /** UTF-8 bytes of the text. */
  readonly bytesMax?: number;
  /** Levels of mappings and lists. */
  readonly depthMax?: number;
  /** Values, counted generously before anything is parsed: each takes over a kilobyte while it is. */
  readonly valuesMax?: number;
}

/** Makes a fault of something found wrong after reading, at the place of a part of the value. */
export type FaultAt = (path: Path, message: string, part?: "key" | "value") => Fault;

export interface ReadDocument<T> {
  readonly ok: true;
  readonly value: T;
  readonly faultAt: FaultAt;
}

export interface UnreadDocument {
  readonly ok: false;
  /** In the order of the text; at most a thousand. */
  readonly faults: readonly Fault[];
}

const BYTES_MAX_DEFAULT = 4 * 1024 * 1024;
const DEPTH_MAX_DEFAULT = 32;
const VALUES_MAX_DEFAULT = 1_000_000;
/** Nobody reads further, and a file of the wrong kind would fill the memory with complaints. */
const FAULTS_MAX = 1000;

export function readDocument<T>(text: string, options: ReadOptions<T>): ReadDocument<T> | UnreadDocument {
  const { file, env, schema, limits = {} } = options;
  const bytesMax = limits.bytesMax ?? BYTES_MAX_DEFAULT;
  if (Buffer.byteLength(text) > bytesMax) {
    return { ok: false, faults: [fileFault(file, `is larger than ${formatSize(bytesMax)}`)] };
  }
  const valuesMax = limits.valuesMax ?? VALUES_MAX_DEFAULT;
  if (mayHoldMoreThan(text, valuesMax)) {
    return { ok: false, faults: [fileFault(file, `may hold more than ${valuesMax} values`)] };
  }
  const tree = new YamlTree(text, env, { depthMax: limits.depthMax ?? DEPTH_MAX_DEFAULT });
  const faultOf = (code: FaultCode, message: string, offset: number): Fault => {
    const position = tree.position(offset);
    return { code, message, file, ...position, sourceLine: tree.line(position.line) };
  };
  const refuse = (found: readonly TreeFault[]): UnreadDocument => {
    const ordered = found.toSorted((a, b) => a.offset - b.offset).slice(0, FAULTS_MAX);
    return { ok: false, faults: ordered.map(({ code, message, offset }) => faultOf(code, message, offset)) };
  };
  if (!tree.isReadable) return refuse(tree.faults);
  const validation = validate(tree, schema);
  if (!validation.ok) return refuse([...tree.faults, ...validation.faults]);
  if (tree.faults.length > 0) return refuse(tree.faults);
  return {
    ok: true,
    value: validation.value,
    faultAt: (path, message, part = "value") => faultOf("value", message, tree.offsetOf(path, part)),
  };
}

/** Every value but the first stands behind one of these. */
const BETWEEN_VALUES = /[[{,:\n]/g;

function mayHoldMoreThan(text: string, valuesMax: number): boolean {
  if (text.length <= valuesMax) return false;
  let count = 0;
  BETWEEN_VALUES.lastIndex = 0;
  while (count <= valuesMax && BETWEEN_VALUES.test(text)) count++;
  return count > valuesMax;
}
