/** `keyward registry verify`: does a server keep the promises of the key registry protocol? */
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { type CheckResult, checkRegistry } from "../registry/conformance/run.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK } from "./command.ts";
import { usageError, writeJson } from "./keys-command.ts";
import { readToken } from "./registry-access.ts";
import { formatTitledTable, type Style, usesColour } from "./table.ts";

const OPTIONS = {
  url: { type: "string" },
  token: { type: "string" },
  "token-file": { type: "string" },
  "read-only": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

const STYLES: Readonly<Record<CheckResult["outcome"], Style>> = { pass: "green", fail: "red", skip: "dim" };

const WRONG_TOKEN =
  "Where it answered 401 or 403 it may only mind the token: give the one that a gate would show. " +
  "Of Keyward's registry: keyward registry token create --role gate --name NAME\n";

export async function verify(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const url = URL.parse(values.url ?? "");
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageError("--url must be the http(s) base URL of the protocol, such as http://127.0.0.1:8090");
  }
  const results = await checkRegistry(
    { url: url.href, token: readToken(values, io), isReadOnly: values["read-only"], clock: systemClock },
    ({ id, outcome }) => {
      if (io.isTerminal === true && !values.json) io.stderr.write(`${outcome} ${id}\n`);
    },
  );
  // What is optional and offered has to be right as well: a gate would rely on it.
  const failed = results.filter(({ outcome }) => outcome === "fail");
  if (values.json) writeJson(io, { ok: failed.length === 0, url: url.href, checks: results });
  else tell(results, failed.length, io);
  return failed.length === 0 ? EXIT_OK : EXIT_FAILURE;
}

function tell(results: readonly CheckResult[], failures: number, io: CommandIo): void {
  const rows = results.map(({ outcome, required, title, note }) => [
    { text: outcome, style: STYLES[outcome] },
    required ? "must" : "may",
    title,
    note ?? "",
  ]);
  io.stdout.write(formatTitledTable(["RESULT", "LEVEL", "CHECK", "NOTE"], rows, usesColour(io)));
  const skipped = results.filter(({ outcome }) => outcome === "skip").length;
  const passed = results.length - failures - skipped;
  io.stdout.write(`${passed} passed, ${failures} failed, ${skipped} not offered or left out\n`);
  const isRefused = results.some(({ outcome, note = "" }) => outcome === "fail" && /\b40[13]\b/.test(note));
  if (isRefused) io.stderr.write(WRONG_TOKEN);
}
