/** What the demo prints: where things are, and lines to paste. */
import { styleText } from "node:util";
import type { DemoKeys } from "./files.ts";

export interface DemoFacts {
  readonly url: string;
  readonly opsUrl: string;
  readonly backendUrl: string;
  readonly folder: string;
  readonly logFile: string;
  /** The folder is removed at the end. */
  readonly isTemporary: boolean;
  readonly keys: DemoKeys;
}

type Style = Parameters<typeof styleText>[0];

/** One line for programs. */
export function factsAsJson({ url, opsUrl, backendUrl, folder, keys }: DemoFacts): string {
  const { acme, acmeReadOnly, globex } = keys;
  return JSON.stringify({
    url,
    ops: opsUrl,
    backend: backendUrl,
    folder,
    keys: { acme: acme.secret, acme_read_only: acmeReadOnly.secret, globex: globex.secret },
  });
}

/** The screen for people. */
export function guide(facts: DemoFacts, isColoured: boolean): string {
  const paint = (style: Style, text: string): string =>
    isColoured ? styleText(style, text, { validateStream: false }) : text;
  const title = (text: string): string => paint("bold", text);
  const row = (name: string, value: string, note = ""): string =>
    `  ${name.padEnd(12)}${paint("cyan", value)}${note === "" ? "" : `  ${paint("dim", note)}`}`;
  const { acme, acmeReadOnly, globex } = facts.keys;
  const steps = trySteps(facts.url, facts.opsUrl);
  return [
    "",
    `${title("Keyward demo")}: the gate in front of a small memory backend`,
    "",
    row("proxy", facts.url),
    row("operations", facts.opsUrl, "/metrics /readyz /livez /version"),
    row("backend", facts.backendUrl, "asks for no key: only the gate should reach it"),
    row("files", facts.folder, facts.isTemporary ? "removed at the end" : "kept"),
    row("log", facts.logFile),
    "",
    title("Keys, made for this run"),
    "",
    `  ${paint("green", `KEY=${acme.secret}`)}        ${paint("dim", "# Acme: read, write, delete")}`,
    `  ${paint("green", `READ_KEY=${acmeReadOnly.secret}`)}   ${paint("dim", "# Acme: read")}`,
    `  ${paint("green", `OTHER_KEY=${globex.secret}`)}  ${paint("dim", "# Globex: read, write, delete")}`,
    "",
    title("Paste the keys above into another terminal, then"),
    "",
    ...steps.flatMap(([comment, command]) => [`  ${paint("dim", `# ${comment}`)}`, `  ${command}`, ""]),
    paint("dim", "Ctrl-C stops it."),
    "",
  ].join("\n");
}

/** The README shows the same lines with their answers. */
function trySteps(url: string, opsUrl: string): readonly (readonly [comment: string, command: string])[] {
  const bearer = '-H "Authorization: Bearer $KEY"';
  return [
    ["without a key: refused, and the backend never hears of it", `curl -i ${url}/v1/memories`],
    ["remember something", `curl ${bearer} -d '{"text":"Ada prefers tea"}' ${url}/v1/memories`],
    ["find it again", `curl ${bearer} -d '{"query":"tea"}' ${url}/v1/memories/search`],
    ["who is this key?", `curl ${bearer} ${url}/v1/me`],
    ["another organization sees nothing of it", `curl -H "X-API-Key: $OTHER_KEY" ${url}/v1/memories`],
    ["a key that may only read", `curl -H "X-API-Key: $READ_KEY" -X DELETE ${url}/v1/memories/m_1`],
    ["what each key used", `curl -s ${opsUrl}/metrics | grep 'key_requests_total.*"ok"'`],
  ];
}
