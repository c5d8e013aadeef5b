/** Config texts of a few lines for the schema's tests. */
import { type GateConfig, gateConfigSchema } from "../../../src/config/schema.ts";
import { formatFault } from "../../../src/document/fault.ts";
import { readDocument } from "../../../src/document/read.ts";

const REQUIRED = {
  upstreams: "upstreams: { default: { url: http://127.0.0.1:8000 } }",
  keys: "keys: { file: keys.yaml }",
  routes: "routes: [{ path: /a }]",
};

/** The case's own lines first, so that its places are easy to count; then what it left out. */
function withRequired(text: string): string {
  const missing = Object.entries(REQUIRED).filter(([name]) => !new RegExp(`^${name}:`, "m").test(text));
  return [text, ...missing.map(([, line]) => line), ""].join("\n");
}

/** `line:column: message` of every fault. */
export function faultsOf(text: string): readonly string[] {
  const read = readDocument(withRequired(text), { file: "f", env: {}, schema: gateConfigSchema });
  return read.ok ? [] : read.faults.map((fault) => formatFault(fault).replace("f:", ""));
}

export function configOf(text: string): GateConfig {
  const read = readDocument(withRequired(text), { file: "f", env: {}, schema: gateConfigSchema });
  if (!read.ok) throw new Error(read.faults.map(formatFault).join("\n"));
  return read.value;
}
