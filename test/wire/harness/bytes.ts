/** From a case's `raw` to what is done on the socket: bytes, pauses, a half-close. */

export type Step =
  | { readonly kind: "bytes"; readonly text: string }
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "half-close" };

/** What stands for `{{NAME}}`. */
export type Words = Readonly<Record<string, string>>;

const PAUSE_OR_FIN = /\{\{(?:PAUSE:(\d+)|(FIN))\}\}/;

/** `{{KEY_A}}` and its like, wherever they stand. */
export function fillWords(text: string, words: Words): string {
  return text.replaceAll(/\{\{([A-Z][A-Z0-9_]*)\}\}/g, (whole, name: string) => words[name] ?? whole);
}

/** @returns text without any macro but PAUSE and FIN */
function expand(raw: string, words: Words): string {
  const filled = fillWords(raw, words)
    .replaceAll(/\{\{REP:(.*?):(\d+)\}\}/gs, (_, text: string, times: string) =>
      unescape(text).repeat(Number(times)),
    )
    .replaceAll(/\{\{REPLINE:(.*?):(\d+)\}\}/gs, (_, line: string, times: string) =>
      `${unescape(line)}\r\n`.repeat(Number(times)),
    )
    .replaceAll(
      /\{\{REPJOIN:(.*?):([^:]*):(\d+)\}\}/gs,
      (_, item: string, separator: string, times: string) =>
        Array.from({ length: Number(times) }, () => unescape(item)).join(unescape(separator)),
    )
    .replaceAll(/\{\{REPREQ:(.*?):(\d+)\}\}/gs, (_, line: string, times: string) =>
      Array.from({ length: Number(times) }, (_each, i) => requestOf(line, i, words)).join(""),
    );
  return filled.replaceAll("{{CLEN}}", String(bodyOf(filled).length));
}

/** @throws when a macro is left that nobody knows */
export function stepsOf(raw: string, words: Words): readonly Step[] {
  const steps: Step[] = [];
  let rest = expand(raw, words);
  for (let match = PAUSE_OR_FIN.exec(rest); match !== null; match = PAUSE_OR_FIN.exec(rest)) {
    steps.push({ kind: "bytes", text: rest.slice(0, match.index) });
    steps.push(match[2] === undefined ? { kind: "pause", ms: Number(match[1]) } : { kind: "half-close" });
    rest = rest.slice(match.index + match[0].length);
  }
  steps.push({ kind: "bytes", text: rest });
  const unknown = steps.map((step) => (step.kind === "bytes" ? /\{\{[A-Z_]+.*?\}\}/.exec(step.text) : null));
  const macro = unknown.find((match) => match !== null);
  if (macro !== undefined) throw new Error(`unknown macro ${macro?.[0]}`);
  return steps.filter((step) => step.kind !== "bytes" || step.text !== "");
}

/** All bytes of the steps, as one latin-1 text. */
export function textOf(steps: readonly Step[]): string {
  return steps.map((step) => (step.kind === "bytes" ? step.text : "")).join("");
}

function unescape(text: string): string {
  return text.replaceAll("\\r", "\r").replaceAll("\\n", "\n");
}

function bodyOf(text: string): string {
  const end = text.indexOf("\r\n\r\n");
  return end === -1 ? "" : text.slice(end + 4).replaceAll(/\{\{(?:PAUSE:\d+|FIN)\}\}/g, "");
}

function requestOf(line: string, index: number, words: Words): string {
  const key = words["KEY_A"] ?? "";
  return `${line.replaceAll("#", String(index))}\r\nHost: gw.local\r\nAuthorization: Bearer ${key}\r\n\r\n`;
}
