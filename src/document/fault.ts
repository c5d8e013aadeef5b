/**
 * What is wrong with a document, and where. Faults are for the person who wrote the file: they
 * show the file's own line, never a value that came from the environment.
 */

/** `file`: unreadable. `variable`: unresolved or misspelt `${…}`. `value`: readable, but not acceptable. */
export type FaultCode = "file" | "syntax" | "variable" | "unknown_key" | "missing" | "value";

export interface Position {
  /** From 1; 0 when the fault is of the file as a whole. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
}

export interface Fault extends Position {
  readonly code: FaultCode;
  readonly message: string;
  readonly file: string;
  /** The line as it stands in the file; empty when the fault is of the file as a whole. */
  readonly sourceLine: string;
}

/** A fault of a file that could not even be read. */
export function fileFault(file: string, message: string): Fault {
  return { code: "file", message, file, line: 0, column: 0, sourceLine: "" };
}

/** `file:line:column: message`, one line: for logs. */
export function formatFault(fault: Fault): string {
  const place = fault.line === 0 ? fault.file : `${fault.file}:${fault.line}:${fault.column}`;
  return printable(`${place}: ${fault.message}`);
}

/** The fault, the line it is in and a caret below the place: for people. */
export function renderFault(fault: Fault): string {
  if (fault.line === 0) return formatFault(fault);
  const { text, caret } = clip(printable(fault.sourceLine), fault.column - 1);
  const gutter = String(fault.line).padStart(5);
  const blank = " ".repeat(gutter.length);
  return `${formatFault(fault)}\n${gutter} | ${text}\n${blank} | ${" ".repeat(caret)}^`;
}

const WIDTH_MAX = 120;

/** A window of a long line around the caret. */
function clip(line: string, caret: number): { text: string; caret: number } {
  if (line.length <= WIDTH_MAX) return { text: line, caret };
  const start = Math.max(0, Math.min(caret - WIDTH_MAX / 2, line.length - WIDTH_MAX));
  const end = start + WIDTH_MAX;
  const before = start > 0 ? "…" : "";
  const after = end < line.length ? "…" : "";
  return { text: before + line.slice(start, end) + after, caret: caret - start + before.length };
}

/** Files are not trusted with the terminal: one character for each, so that the caret stays in place. */
function printable(text: string): string {
  return text
    .replaceAll("\t", " ")
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
