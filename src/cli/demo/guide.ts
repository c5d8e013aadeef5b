/** What the demo prints: where things are, and lines to paste. */
import { formatTable, paint as paintCell, type Row, type Style } from "../table.ts";
import type { DemoKeys } from "./keys.ts";

export interface DemoFacts {
  readonly url: string;
  readonly opsUrl: string;
  readonly registryUrl: string;
  /** Undefined when the registry serves none. */
  readonly consoleUrl: string | undefined;
  readonly backendUrl: string;
  readonly folder: string;
  /** The folder is removed at the end. */
  readonly isTemporary: boolean;
  readonly adminToken: string;
  readonly keys: DemoKeys;
}

type Place = readonly [name: string, value: string, note: string];

/** One line for programs. */
export function factsAsJson(facts: DemoFacts): string {
  const { url, opsUrl, registryUrl, consoleUrl, backendUrl, folder, adminToken, keys } = facts;
  return JSON.stringify({
    url,
    ops: opsUrl,
    registry: registryUrl,
    ...(consoleUrl !== undefined && { console: consoleUrl }),
    backend: backendUrl,
    folder,
    admin_token: adminToken,
    keys,
  });
}

/** The screen for people. */
export function guide(facts: DemoFacts, isColoured: boolean): string {
  const paint = (style: Style, text: string): string => paintCell({ text, style }, isColoured);
  const title = (text: string): string => paint("bold", text);
  const { url, opsUrl, registryUrl, consoleUrl, backendUrl, keys } = facts;
  const places: readonly Place[] = [
    ["gate", url, "what clients call"],
    ["registry", registryUrl, "where keys are made and revoked"],
    ...(consoleUrl === undefined
      ? []
      : [["console", consoleUrl, "sign in with the token below"] satisfies Place]),
    ["operations", opsUrl, "/metrics /readyz /livez /version"],
    ["backend", backendUrl, "asks for no key: only the gate should reach it"],
    ["files", facts.folder, facts.isTemporary ? "configs, keys and logs; removed at the end" : "kept"],
  ];
  // Without comments of their own: zsh would take them for words.
  const variables = [`ADMIN=${facts.adminToken}`, `KEY=${keys.acme}`, `OTHER_KEY=${keys.globex}`];
  return [
    "",
    `${title("Keyward demo")}: a gate, its key registry and a small memory backend`,
    "",
    formatTable(places.map(placeRow), isColoured),
    title("Paste these into another terminal"),
    paint(
      "dim",
      "the registry's administrator; a key of Acme, and one of Globex, each to read, write and delete",
    ),
    "",
    ...variables.map((text) => `  ${paint("green", text)}`),
    "",
    title("then try"),
    "",
    ...steps(facts).flatMap(([comment, command]) => [
      `  ${paint("dim", `# ${comment}`)}`,
      `  ${command}`,
      "",
    ]),
    paint("dim", "Ctrl-C stops it."),
    "",
  ].join("\n");
}

function placeRow([name, value, note]: Place): Row {
  return [`  ${name}`, { text: value, style: "cyan" }, { text: note, style: "dim" }];
}

const NEW_KEY = JSON.stringify({
  name: "My agent",
  organization: "org_acme",
  project: "proj_acme",
  environment: "live",
  scopes: ["read"],
});

/** The README shows the same lines with their answers. */
function steps({
  url,
  opsUrl,
  registryUrl,
}: DemoFacts): readonly (readonly [comment: string, command: string])[] {
  const bearer = '-H "Authorization: Bearer $KEY"';
  const admin = '-H "Authorization: Bearer $ADMIN"';
  const json = '-H "Content-Type: application/json"';
  const newKey = '-H "X-API-Key: $NEW_KEY"';
  return [
    ["without a key: refused, and the backend never hears of it", `curl -i ${url}/v1/memories`],
    ["remember something", `curl ${bearer} -d '{"text":"Ada prefers tea"}' ${url}/v1/memories`],
    ["find it again", `curl ${bearer} -d '{"query":"tea"}' ${url}/v1/memories/search`],
    ["who is this key?", `curl ${bearer} ${url}/v1/me`],
    ["another organization sees nothing of it", `curl -H "X-API-Key: $OTHER_KEY" ${url}/v1/memories`],
    [
      "make a key of your own, which may only read",
      `NEW=$(curl -s ${admin} ${json} -d '${NEW_KEY}' ${registryUrl}/v1/api-keys); echo "$NEW"`,
    ],
    [
      "its id and its secret, out of the answer",
      `NEW_ID=$(echo "$NEW" | grep -o 'key_[0-9A-Z]*') NEW_KEY=$(echo "$NEW" | grep -o 'mem_live_\\w\\{32\\}')`,
    ],
    ["it reads", `curl ${newKey} ${url}/v1/memories`],
    ["and nothing else", `curl ${newKey} -X DELETE ${url}/v1/memories/m_1`],
    [
      "revoke it; the answer comes when the gate refuses it",
      `curl ${admin} -X DELETE "${registryUrl}/v1/api-keys/$NEW_ID?wait=10s"`,
    ],
    ["refused from now on", `curl ${newKey} ${url}/v1/memories`],
    ["what each key used", `curl -s ${opsUrl}/metrics | grep 'key_requests_total.*"ok"'`],
  ];
}
