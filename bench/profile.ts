/**
 * Where the gate's CPU time goes in a scenario, as text:
 * `node bench/profile.ts [--scenario get] [--rival keyward] [--seconds 5] [--out bench/profiles/x.txt]`.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab, projectFolder } from "./lab.ts";
import { rivals } from "./rivals.ts";
import { scenarios } from "./scenarios.ts";

/** As V8 writes it. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const LINES_MAX = 60;

/** Self time in microseconds by function. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): ReadonlyMap<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return times;
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const file = url.replace("file://", "").replace(projectFolder, "");
  return `${functionName === "" ? "(anonymous)" : functionName} ${file}${file === "" ? "" : `:${lineNumber + 1}`}`;
}

function textOf(times: ReadonlyMap<string, number>, requests: number): string {
  const idle = times.get("(idle) ") ?? 0;
  const busy = [...times.values()].reduce((sum, time) => sum + time, -idle);
  const lines = [...times]
    .filter(([name]) => name !== "(idle) ")
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, LINES_MAX)
    .map(
      ([name, time]) =>
        `${((100 * time) / busy).toFixed(1).padStart(5)} %  ${(time / requests).toFixed(2).padStart(6)} µs  ${name}`,
    );
  const parts = [...sums(times)].map(
    ([part, time]) =>
      `${((100 * time) / busy).toFixed(1).padStart(5)} %  ${(time / requests).toFixed(2).padStart(6)} µs  ${part}`,
  );
  return `${parts.join("\n")}\n\n${lines.join("\n")}\n`;
}

/** Time by file, builtin functions of V8 and Node's C++ under their own names. */
function sums(times: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const parts = new Map<string, number>();
  for (const [name, time] of times) {
    const place = name.slice(name.lastIndexOf(" ") + 1).replace(/:\d+$/, "");
    const part = place === "" ? "V8 and Node's C++" : place;
    if (name !== "(idle) ") parts.set(part, (parts.get(part) ?? 0) + time);
  }
  return new Map([...parts].toSorted((a, b) => b[1] - a[1]).slice(0, 30));
}

const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: "get" },
    rival: { type: "string", default: "keyward" },
    seconds: { type: "string", default: "5" },
    out: { type: "string" },
  },
});
const scenario = scenarios.find(({ name }) => name === values.scenario);
const rival = rivals.find(({ name }) => name === values.rival);
if (scenario === undefined || rival === undefined) throw new Error("no such scenario or rival");

await using lab = await Lab.open();
const folder = await lab.makeFolder("profile");
const proxy = await rival.start(lab, scenario.backend, [
  "--cpu-prof",
  `--cpu-prof-dir=${folder}`,
  "--cpu-prof-interval=200",
]);
const seconds = Number(values.seconds);
const figures = await scenario.measure({ lab, proxy, rival, seconds });
// It writes its profile at its end.
await proxy[Symbol.asyncDispose]();
const [file = ""] = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile;
const requests = (figures["per_second"] ?? 1) * seconds;
const head = `${rival.title}: ${scenario.title}. Node ${process.version}, ${(figures["cpu_us"] ?? 0).toFixed(1)} µs CPU each, profiler included; self time, start-up included.\n\n`;
const text = head + textOf(selfTimes(profile), requests);
if (values.out === undefined) process.stdout.write(text);
else writeFileSync(values.out, text);
