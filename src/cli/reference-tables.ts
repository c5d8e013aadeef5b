/** The part of the reference page that is not config: every refusal and every metric, from their catalogues. */
import { denialKinds } from "../errors/catalogue.ts";
import { gateMetricKinds } from "../observe/metric-catalogue.ts";

/** Markdown, to follow the config's own page. */
export function referenceTables(): string {
  return [REFUSALS, refusalTable(), METRICS, metricTable()].join("\n");
}

const REFUSALS = `
# Refusals

The code stands in the access log (\`reason\`), in \`keyward_denials_total\` and, where the client may know it, in the
body. Unless \`errors.reveal\` is set, a client sees \`key_invalid\` for every key that is not good. Status 499 in the
log is no refusal: the client left before it was answered.
`;

const METRICS = `
# Metrics

On \`/metrics\` of the operations port, besides \`process_*\` and \`nodejs_*\`.
`;

function refusalTable(): string {
  const rows = Object.entries(denialKinds).map(
    ([code, { status, detail }]) => `| \`${code}\` | ${status} | ${detail} |`,
  );
  return ["| code | status | meaning |", "|---|---|---|", ...rows, ""].join("\n");
}

function metricTable(): string {
  const rows = gateMetricKinds.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(" ")} | ${help} |`,
  );
  return ["| metric | type | labels | meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}
