/** The bench's command line. What cannot be understood ends the process with 2, before anything is started. */
import { parseArgs } from "node:util";

const USAGE = `npm run bench -- [options]

  --list                    the names of scenarios and rivals
  --scenarios get,churn     only these
  --rivals keyward,nginx    only these
  --rounds 5                taken in turns by all rivals
  --seconds 3               of each round
  --warm-up 6               seconds before the first round, not kept
  --out results/x.json      where the results go
  --readme                  writes bench/README.md and the picture from these results
  --render results/x.json   writes them from results of before, and measures nothing
`;

export interface Options {
  /** Names with commas between them; undefined for all. */
  readonly scenarios: string | undefined;
  readonly rivals: string | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly out: string | undefined;
  readonly readme: boolean;
  readonly render: string | undefined;
  readonly list: boolean;
}

const OPTIONS = {
  scenarios: { type: "string" },
  rivals: { type: "string" },
  rounds: { type: "string", default: "5" },
  seconds: { type: "string", default: "3" },
  "warm-up": { type: "string", default: "6" },
  out: { type: "string" },
  readme: { type: "boolean", default: false },
  render: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export function readOptions(): Options {
  const { values } = parsed();
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  return {
    scenarios: values.scenarios,
    rivals: values.rivals,
    rounds: count("rounds", values.rounds, 1),
    seconds: count("seconds", values.seconds, 1),
    warmUpSeconds: count("warm-up", values["warm-up"], 0),
    out: values.out,
    readme: values.readme,
    render: values.render,
    list: values.list,
  };
}

/** @param list names with commas between them */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  list: string | undefined,
): readonly T[] {
  if (list === undefined) return all;
  return list
    .split(",")
    .map((name) => all.find((one) => one.name === name) ?? refuse(`no such name: ${name}; see --list`));
}

function parsed() {
  try {
    return parseArgs({ options: OPTIONS });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function count(name: string, text: string, least: number): number {
  const number = Number(text);
  return Number.isInteger(number) && number >= least && number <= 1000
    ? number
    : refuse(`--${name}: "${text}" is not a number from ${least} to 1000`);
}

function refuse(why: string): never {
  console.error(`${why}\n\n${USAGE}`);
  process.exit(2);
}
