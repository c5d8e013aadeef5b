/**
 * `npm run fuzz`: all fuzzers, or those that are named, each up to its count. What it finds is made
 * short and kept in test/fuzz/corpus, where it is an ordinary test from then on. Exits 1 when it
 * found something.
 */
import { randomInt } from "node:crypto";
import { cpus } from "node:os";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../support/source-files.ts";
import { type CampaignResult, type Finding, inputAt, judge, runCampaign } from "./engine/campaign.ts";
import { saveFinding } from "./engine/corpus.ts";
import type { FuzzerKind } from "./engine/fuzzer.ts";
import { fuzzerKinds, runsHere } from "./fuzzers.ts";

const HELP = `npm run fuzz -- [fuzzer …] [options]

  --long           the counts of the long form (10^7 paths, 10^6 inputs on the wire)
  --count N        inputs for each fuzzer; 1e6 will do, too
  --seconds N      at most so long for each fuzzer
  --seed N         the inputs of an earlier run
  --at N           only input N of the seed, shown with its verdict
  --json           the report as JSON on standard output

`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: "boolean", default: false },
    count: { type: "string" },
    seconds: { type: "string", default: "Infinity" },
    seed: { type: "string" },
    at: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function say(text: string): void {
  process.stdout.write(text);
}

function chosenKinds(names: readonly string[]): readonly FuzzerKind[] {
  const unknown = names.find((name) => !fuzzerKinds.some((kind) => kind.name === name));
  if (unknown !== undefined) {
    throw new RangeError(`no fuzzer ${unknown}: there are ${fuzzerKinds.map(({ name }) => name).join(", ")}`);
  }
  return names.length === 0 ? fuzzerKinds : fuzzerKinds.filter(({ name }) => names.includes(name));
}

/** A whole number of at least 0; `1e6` is one. */
function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0)) throw new RangeError(`--${option} ${text} is not a number`);
  return value;
}

function showProgress(name: string): (inputs: number, suspects: number) => void {
  if (!process.stderr.isTTY) return () => undefined;
  const startMs = performance.now();
  return (inputs, suspects) => {
    const perSecond = Math.round((inputs * 1000) / (performance.now() - startMs));
    const found = suspects === 0 ? "" : `  ${suspects} suspicious`;
    process.stderr.write(`\r\x1b[K${name}  ${grouped(inputs)} inputs  ${grouped(perSecond)}/s${found}`);
  };
}

async function fuzz(kind: FuzzerKind, seed: number): Promise<CampaignResult> {
  await using fuzzer = await kind.open();
  const result = await runCampaign(fuzzer, {
    name: kind.name,
    seed,
    from: 0,
    count:
      values.count === undefined
        ? values.long
          ? kind.longCount
          : kind.count
        : numberOf("count", values.count),
    seconds: numberOf("seconds", values.seconds),
    onProgress: showProgress(kind.name),
  });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  return result;
}

const grouped = (count: number): string => count.toLocaleString("en-US");

function row({ name, inputs, seconds, findings, figures }: CampaignResult): string {
  const rate = Math.round(inputs / seconds);
  const facts = Object.entries(figures).map(([what, count]) => `${what} ${grouped(count)}`);
  const cells = [name.padEnd(11), grouped(inputs).padStart(11), `${grouped(rate)}/s`.padStart(10)];
  return `${cells.join("")}${`${seconds.toFixed(1)} s`.padStart(10)}${String(findings.length).padStart(10)}  ${facts.join(", ")}\n`;
}

function describe(name: string, seed: number, finding: Finding): string {
  const { index, reason, input, isConfirmed } = finding;
  const file = relative(projectRoot, saveFinding(name, finding));
  const shown = [
    `FINDING in ${name}: ${reason}`,
    `  input   ${JSON.stringify(input)}`,
    `  again   npm run fuzz -- ${name} --seed ${seed} --at ${index}`,
    `  kept    ${file}`,
  ];
  if (!isConfirmed) shown.push("  It did not fail again when it was sent alone.");
  return `${shown.join("\n")}\n`;
}

async function fuzzAll(kinds: readonly FuzzerKind[], seed: number): Promise<number> {
  const results: CampaignResult[] = [];
  if (!values.json) say(`${"fuzzer".padEnd(11)}     inputs      rate      time  findings\n`);
  for (const kind of kinds) {
    if (!runsHere(kind)) {
      process.stderr.write(`${kind.name} is left out: it runs on ${kind.platform}\n`);
      continue;
    }
    const result = await fuzz(kind, seed);
    results.push(result);
    if (!values.json) say(row(result));
    const texts = result.findings.map((finding) => describe(kind.name, seed, finding));
    if (!values.json) say(texts.join(""));
  }
  const inputs = results.reduce((sum, result) => sum + result.inputs, 0);
  const findings = results.reduce((sum, result) => sum + result.findings.length, 0);
  const machine = `${process.platform}-${process.arch}, ${cpus().length} cores, Node ${process.version}`;
  const date = new Date().toISOString();
  if (values.json)
    say(`${JSON.stringify({ date, machine, seed, inputs, findings, fuzzers: results }, undefined, 2)}\n`);
  else say(`\n${date}, ${machine}\nseed ${seed}: ${grouped(inputs)} inputs, ${findings} findings\n`);
  return findings === 0 ? 0 : 1;
}

/** One input of a seed once more. */
async function fuzzOne(kind: FuzzerKind, seed: number, index: number): Promise<number> {
  await using fuzzer = await kind.open();
  const input = inputAt(fuzzer, { seed, name: kind.name }, index);
  say(`${kind.name}, seed ${seed}, input ${index}:\n${JSON.stringify(input, undefined, 2)}\n`);
  const complaint = await judge(fuzzer, input);
  say(`${complaint === undefined ? "nothing wrong" : complaint.reason}\n`);
  return complaint === undefined ? 0 : 1;
}

async function main(): Promise<number> {
  if (values.help) {
    say(HELP + fuzzerKinds.map(({ name, what }) => `  ${name.padEnd(12)} ${what}\n`).join(""));
    return 0;
  }
  const kinds = chosenKinds(positionals);
  const seed = values.seed === undefined ? randomInt(2 ** 31) : numberOf("seed", values.seed);
  if (values.at === undefined) return await fuzzAll(kinds, seed);
  const [kind] = kinds;
  if (kind === undefined || positionals.length !== 1) throw new RangeError("--at is for one fuzzer: name it");
  return await fuzzOne(kind, seed, numberOf("at", values.at));
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
