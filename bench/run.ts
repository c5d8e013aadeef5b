/**
 * `npm run bench`: what a request costs the gate, and what it costs others. Rounds take turns over
 * all rivals of a scenario, so that a machine that drifts drifts for all of them. `--help` says more.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release } from "node:os";
import { join, relative } from "node:path";
import { defaultTool } from "./load.ts";
import { chosen, readOptions } from "./options.ts";
import { Lab, type Running, benchFolder, projectFolder } from "./lab.ts";
import { print, writeReadme } from "./report.ts";
import type { Results, Row } from "./results.ts";
import { type Rival, isThere, rivals, versionOfPackage, versionOfProgram } from "./rivals.ts";
import { type Figures, type Scenario, scenarios } from "./scenarios.ts";

interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly rivals: readonly string[] | undefined;
  readonly rounds: number;
  readonly seconds: number;
  /** A round before the first, which is not kept; 0 for none. In less than 5 s V8 is still compiling. */
  readonly warmUpSeconds: number;
}

/** Straight to the backend: what the way there costs without a proxy. */
const DIRECT: Rival = {
  name: "direct",
  title: "no proxy",
  needs: undefined,
  checksKeys: false,
  start: (lab) =>
    Promise.resolve({
      port: Number(lab.backend.split(":")[1]),
      pids: () => [],
      startMs: 0,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};

const candidates = [DIRECT, ...rivals];

class Bench {
  readonly #lab: Lab;
  readonly #plan: Plan;
  readonly #started = new Map<string, Running>();
  readonly rows: Row[] = [];
  readonly leftOut: string[] = [];

  constructor(lab: Lab, plan: Plan) {
    this.#lab = lab;
    this.#plan = plan;
  }

  async run(): Promise<void> {
    for (const scenario of this.#plan.scenarios) await this.#runScenario(scenario);
  }

  async #runScenario(scenario: Scenario): Promise<void> {
    const { rounds, seconds, warmUpSeconds } = this.#plan;
    const measured = new Map<Rival, Figures[]>();
    for (const rival of this.#rivalsOf(scenario)) {
      const isWarm = warmUpSeconds === 0 || (await this.#tryRound(scenario, rival, warmUpSeconds));
      if (isWarm !== undefined) measured.set(rival, []);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [rival, figures] of measured) {
        const found = await this.#tryRound(scenario, rival, seconds);
        if (found === undefined) measured.delete(rival);
        else figures.push(found);
      }
      progress(`${scenario.name}: round ${round + 1} of ${rounds}`);
    }
    for (const [rival, figures] of measured) {
      this.rows.push({ scenario: scenario.name, rival: rival.name, rounds: figures });
    }
    await this.#stopLarge();
  }

  #rivalsOf(scenario: Scenario): Rival[] {
    const wanted = candidates.filter(
      ({ name }) =>
        (scenario.rivals.includes(name) || name.startsWith("before")) &&
        (this.#plan.rivals?.includes(name) ?? true),
    );
    for (const rival of wanted) if (!isThere(rival)) this.#leaveOut(`${rival.name}: not installed`);
    return wanted.filter(isThere);
  }

  async #tryRound(scenario: Scenario, rival: Rival, seconds: number): Promise<Figures | undefined> {
    try {
      const proxy = scenario.per === "start" ? NOBODY : await this.#proxy(rival, scenario);
      return await scenario.measure({ lab: this.#lab, proxy, rival, seconds });
    } catch (error) {
      this.#leaveOut(
        `${rival.name} in ${scenario.name}: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }

  async #proxy(rival: Rival, { backend }: Scenario): Promise<Running> {
    const id = `${rival.name} ${backend}`;
    const known = this.#started.get(id);
    if (known !== undefined) return known;
    progress(`starting ${rival.name}`);
    const started = await rival.start(this.#lab, backend);
    this.#started.set(id, started);
    return started;
  }

  /** A million keys and their registry would cost the next scenario its memory. */
  async #stopLarge(): Promise<void> {
    for (const [id, running] of this.#started) {
      if (!id.startsWith("keyward-1000000-keys")) continue;
      await running[Symbol.asyncDispose]();
      this.#started.delete(id);
    }
  }

  #leaveOut(why: string): void {
    if (this.leftOut.includes(why)) return;
    this.leftOut.push(why);
    progress(`left out: ${why}`);
  }
}

const NOBODY: Running = {
  port: 0,
  pids: () => [],
  startMs: 0,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function versions(): Record<string, string> {
  const { version } = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")) as {
    version: string;
  };
  const found: Record<string, string | undefined> = {
    keyward: version,
    node: process.versions.node,
    nginx: versionOfProgram("nginx", ["-v"]),
    haproxy: versionOfProgram("haproxy", ["-v"]),
    caddy: versionOfProgram("caddy", ["version"]),
    wrk: versionOfProgram("wrk", ["-v"]),
    undici: versionOfPackage("undici"),
    ...Object.fromEntries(
      ["http-proxy-3", "@fastify/http-proxy", "httpxy", "autocannon"].map((name) => [
        name,
        versionOfPackage(name),
      ]),
    ),
  };
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, is]) => (is === undefined ? [] : [[name, is]])),
  );
}

function commit(): string {
  try {
    const git = (args: readonly string[]): string =>
      execFileSync("git", args, { cwd: projectFolder }).toString().trim();
    const isChanged = git(["status", "--porcelain", "--", "src"]) !== "";
    return git(["rev-parse", "--short=12", "HEAD"]) + (isChanged ? " and changes" : "");
  } catch {
    return "unknown";
  }
}

async function measure(plan: Plan): Promise<Results> {
  const loadBefore = loadavg()[0] ?? 0;
  const ofCommit = commit();
  await using lab = await Lab.open();
  const bench = new Bench(lab, plan);
  await bench.run();
  const found = versions();
  const named = (name: string): string => (found[name] === undefined ? name : `${name} ${found[name]}`);
  return {
    made: new Date().toISOString(),
    commit: ofCommit,
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableCores,
      kernel: release(),
      pinned: lab.isPinned,
      loadAverage: [loadBefore, loadavg()[0] ?? 0],
    },
    versions: found,
    options: { rounds: plan.rounds, seconds: plan.seconds },
    backend: named(lab.backendName),
    load: named(defaultTool),
    leftOut: bench.leftOut,
    rows: bench.rows,
  };
}

/** Before this process is pinned to one of them. */
const availableCores = availableParallelism();

const values = readOptions();
if (values.list) {
  for (const { name, title } of scenarios) console.log(`scenario  ${name.padEnd(22)} ${title}`);
  for (const { name, title } of candidates) console.log(`rival     ${name.padEnd(22)} ${title}`);
} else if (values.render !== undefined) {
  const results = JSON.parse(readFileSync(values.render, "utf8")) as Results;
  writeReadme(results, benchFolder, relative(benchFolder, values.render));
} else {
  const results = await measure({
    scenarios: chosen(scenarios, values.scenarios),
    rivals:
      values.rivals === undefined ? undefined : chosen(candidates, values.rivals).map(({ name }) => name),
    rounds: values.rounds,
    seconds: values.seconds,
    warmUpSeconds: values.warmUpSeconds,
  });
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(results, undefined, 1)}\n`);
  if (values.readme) writeReadme(results, benchFolder, relative(benchFolder, values.out ?? "nowhere"));
  print(results);
}
