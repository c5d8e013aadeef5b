/** What `--help` says. The texts are data, so that a test can hold them against the commands. */

export type CommandName = "serve" | "demo" | "keys" | "check" | "explain" | "schema" | "healthcheck";

interface CommandHelp {
  /** One line for the overview. */
  readonly summary: string;
  /** Lines after `keyward`. */
  readonly usage: readonly string[];
  readonly options: readonly (readonly [option: string, meaning: string])[];
  readonly notes?: string;
}

const CONFIG = ["--config FILE", "config of the gate (default: keyward.yaml)"] as const;
const JSON_OUT = ["--json", "one machine-readable line instead of text"] as const;

const commands: Readonly<Record<CommandName, CommandHelp>> = {
  serve: {
    summary: "run the gate: proxy on `listen`, operations endpoints on `ops`",
    usage: ["serve [--config FILE]"],
    options: [CONFIG],
    notes: [
      "SIGHUP, or a change of the config or key file, reloads both without dropping a request; a faulty",
      "file is refused whole. SIGTERM stops accepting, lets requests under way finish within",
      "`shutdown_grace` and ends; a second one ends at once.",
    ].join("\n"),
  },
  demo: {
    summary: "try it: gate, example memory backend and fresh keys in one process",
    usage: ["demo [--port N] [--ops-port N] [--dir FOLDER] [--json]"],
    options: [
      ["--port N", "port of the proxy; 0 takes any free one (default: 8080)"],
      ["--ops-port N", "port of the operations endpoints; 0 takes any free one (default: 9090)"],
      ["--dir FOLDER", "keep keyward.yaml and keys.yaml here (default: a folder that is removed at the end)"],
      ["--json", "print one machine-readable line with addresses and keys"],
    ],
  },
  keys: {
    summary: "make, list, rotate and revoke keys in a key file",
    usage: [
      "keys create --file FILE --organization ID [options]",
      "keys list|show|rotate|revoke|verify --file FILE …",
    ],
    options: [],
  },
  check: {
    summary: "validate config and key file; every fault with line and column",
    usage: ["check [--config FILE] [--json]"],
    options: [CONFIG, JSON_OUT],
  },
  explain: {
    summary: "show each stage's decision for one request, without sending it",
    usage: ["explain --method M --path P [--key K] [--config FILE] [--json]"],
    options: [
      ["--method M", "request method (default: GET)"],
      ["--path P", "request path, with the query if there is one"],
      ["--key K", "the API key that the client would send"],
      CONFIG,
      JSON_OUT,
    ],
  },
  schema: {
    summary: "print the JSON Schema of the config, for editors",
    usage: ["schema"],
    options: [],
  },
  healthcheck: {
    summary: "ask a running gate's /readyz; exit 0 when it is ready",
    usage: ["healthcheck [--config FILE]"],
    options: [CONFIG],
  },
};

export const commandNames = Object.keys(commands) as readonly CommandName[];

const EXIT_CODES = "Exit codes: 0 ok, 1 failure, 64 wrong usage, 78 faulty config.";

/** `keyward --help`. */
export function overview(): string {
  const width = Math.max(...commandNames.map((name) => name.length));
  const lines = commandNames.map((name) => `  ${name.padEnd(width)}  ${commands[name].summary}`);
  return [
    "keyward: the gate in front of a memory backend",
    "",
    "Usage: keyward <command> [options]",
    "",
    ...lines,
    "",
    "keyward <command> --help tells more; keyward --version prints the version.",
    EXIT_CODES,
    "",
  ].join("\n");
}

/** `keyward <command> --help`. */
export function commandHelp(name: CommandName): string {
  const { summary, usage, options, notes } = commands[name];
  const width = Math.max(0, ...options.map(([option]) => option.length));
  return [
    ...usage.map((line, index) => `${index === 0 ? "Usage:" : "      "} keyward ${line}`),
    "",
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...(options.length === 0 ? [] : [""]),
    ...options.map(([option, meaning]) => `  ${option.padEnd(width)}  ${meaning}`),
    ...(notes === undefined ? [] : ["", notes]),
    "",
    EXIT_CODES,
    "",
  ].join("\n");
}
