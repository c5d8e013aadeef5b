/**
 * Request targets. The gate's reader and a second one, written in another way, must accept the same
 * and read the same; and no decoding of what was accepted may show another path.
 */
import { Denial } from "../../../src/errors/denial.ts";
import { type Target, readTarget } from "../../../src/gate/target.ts";
import { readByModel } from "../../property/gate/target-model.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";

/** Short, so that the bound itself is met now and then. */
const LENGTH_MAX = 200;

/** Pieces of which dangerous targets are made; drawn together they come close to every known trick. */
const PIECES: readonly string[] = String.raw`
  / // /// . .. ... %2e %2E %2f %2F %5c %5C \ ; %3b ;x=1 ? %3f %3F # %23 & = %26 %3d
  % %2 %g1 %25 %252e %25%32e %25%32%65 %%32e %2%65 %u002e %00 %0a %0d%0a %1f %7f %20 %09 +
  a B 7 - _ ~ %61 %41 %7e %7E %2d %5f %30 %39 v1 admin memories api .json ..; ..%3b
  ! $ ' ( * ) , : @ | ^ { } < > " [ ] ${"`"} %21 %24 %27 %3a %3A %40 %7b %7c %5e %60 %22
  %c3%a9 %C3%A9 %c0%ae %c0%af %e2%82 %e2%82%ac %ed%a0%80 %f0%9f%98%80 %f8%88%80%80%80 %ff %80 %bf`
  .trim()
  .split(/\s+/);
const RARE: readonly string[] = [
  " ",
  "\t",
  "\r",
  "\n",
  "\0",
  "\x7f",
  "\x80",
  "\u00e9",
  "\u00ff",
  "\uff0f",
  "\u2024",
];
const HARMLESS: readonly string[] = [
  "/",
  "a",
  "B",
  "7",
  ".x",
  "v1",
  "/admin",
  "/memories",
  "%7E",
  "%c3%a9",
  ":",
  "@",
  "~",
];
const STARTS: readonly string[] = [
  "http://gate.test",
  "https://gate.test:8443",
  "HTTP://[::1]:80",
  "http://user@gate.test",
  "http://gate.test\\evil",
  "http:/gate.test",
  "ftp://gate.test",
  "file://",
  "//gate.test",
  "*",
  "gate.test:443",
  "",
];
const SEEDS: readonly string[] = [
  "/v1/memories",
  "/v1/memories/abc?limit=10&cursor=%2F",
  "/v1/../admin",
  "/v1/%2e%2e/admin",
  "/v1/memories/%7Euser/caf%C3%A9/",
  "http://gate.test/v1/memories?x=1",
  "/a%252fb",
  "/a/.%2e/b;c=d",
];
const MATERIAL: Material = { words: PIECES, seeds: SEEDS };

/** What is under test: `readTarget`, or in the engine's own tests one that was broken on purpose. */
export type TargetReader = (raw: string, lengthMax: number) => Target | Denial;

export class PathFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 1000;
  readonly figures = { accepted: 0, refused: 0 };
  readonly #read: TargetReader;

  constructor(read: TargetReader = readTarget) {
    this.#read = read;
  }

  generate(random: Random): Input {
    const kind = random.below(16);
    if (kind === 0) return { text: mutate(random.pick(SEEDS), random, MATERIAL) };
    if (kind === 1) return { text: random.pick(STARTS) + pathOf(random) };
    return { text: `/${pathOf(random)}` };
  }

  check({ text }: Input): Verdict {
    const target = this.#read(text, LENGTH_MAX);
    const model = readByModel(text, LENGTH_MAX);
    if (target instanceof Denial) {
      this.figures.refused++;
      return model === undefined ? undefined : complain("only the gate refuses", target.note, model);
    }
    this.figures.accepted++;
    if (model === undefined) return complain("only the gate accepts", target);
    for (const part of ["path", "matchPath", "query", "authority"] as const) {
      if (target[part] !== model[part])
        return complain(`${part} is read differently`, target[part], model[part]);
    }
    return unsafe(target) ?? this.#rereads(target);
  }

  /** What was forwarded once reads the same at the next gate. */
  #rereads({ path, query, matchPath }: Target): Verdict {
    const again = this.#read(path + query, Number.MAX_SAFE_INTEGER);
    if (again instanceof Denial) return complain("not accepted a second time", path);
    const isSame = again.path === path && again.query === query && again.matchPath === matchPath;
    return isSame ? undefined : complain("changes when read again", path, again.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Half of them hold one trick or two among harmless pieces, or nearly all would be refused. */
function pathOf(random: Random): string {
  const isCalm = random.oneIn(2);
  let path = "";
  for (let left = random.below(14); left > 0; left--) {
    if (isCalm && !random.oneIn(12)) path += random.pick(HARMLESS);
    else path += random.oneIn(64) ? random.pick(RARE) : random.pick(PIECES);
  }
  return path;
}

const DANGEROUS = /[\\;?#\0-\x1f\x7f]|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/;

/** Decoded once or twice, as lax servers do, no separator and no dot segment may come to light. */
function unsafe({ path }: Target): Verdict {
  if (!/^\/[!-~]*$/.test(path)) return complain("forwards what no target holds", path);
  const slashes = path.split("/").length;
  let seen: string = path;
  for (let round = 0; round < 3; round++) {
    if (DANGEROUS.test(seen)) return complain(`decoded ${round} times it is another path`, path, seen);
    if (seen.split("/").length !== slashes) return complain("decoding makes a segment", path, seen);
    seen = seen.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, pair: string) =>
      String.fromCharCode(Number.parseInt(pair, 16)),
    );
  }
  return undefined;
}

function complain(what: string, ...facts: readonly unknown[]): Verdict {
  return { reason: `${what}: ${facts.map((fact) => JSON.stringify(fact)).join(" | ")}` };
}
