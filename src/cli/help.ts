/** What `keyward --help` says. What a command takes stands with the command: `keyward <command> --help`. */

const summaries = {
  serve: "run the gate: proxy on `listen`, operations endpoints on `ops`",
  registry: "run the registry: management API, change feed, usage; or set it up",
  demo: "try it: gate, key registry, example memory backend and fresh keys in one process",
  keys: "make, list, show, rotate, revoke and verify keys of a registry or a key file",
  check: "validate config and key file; every fault with line and column",
  explain: "show each stage's decision for one request, without sending it",
  schema: "print the JSON Schema of the config, for editors",
  healthcheck: "ask /readyz of a running gate or registry: exit code 0 when it is ready",
} as const;

export type CommandName = keyof typeof summaries;

export const commandNames = Object.keys(summaries) as readonly CommandName[];

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(summaries, name);
}

export function overview(): string {
  const width = Math.max(...commandNames.map((name) => name.length));
  return [
    "keyward: the gate in front of a memory backend",
    "",
    "Usage: keyward <command> [options]",
    "",
    ...commandNames.map((name) => `  ${name.padEnd(width)}  ${summaries[name]}`),
    "",
    "keyward <command> --help tells more; keyward --version prints the version.",
    "Exit codes: 0 ok, 1 failure, 64 wrong usage, 78 faulty config.",
    "",
  ].join("\n");
}
