/** Whatever a test starts is searched for keys, because there is one way to start something. */
import { expect, test } from "vitest";
import { projectFiles, textOf } from "../support/source-files.ts";

/** Who may start processes in another way, and why. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["test/run.ts", "starts vitest for whoever typed npm test"],
  ["test/support/child.ts", "is the one way"],
  ["test/cluster/flood.ts", "forks a flood that speaks by messages and writes nothing"],
  ["test/integration/workers/restarts.test.ts", "holds the channel of a worker to cut it; it writes nowhere"],
  ["test/fuzz/wire/target.ts", "searches its gate's output as it comes, and keeps nothing of it"],
]);

/** What waits for a program's end and returns its output (`execFileSync`) is for the system's own programs. */
const STARTS = /import (?:type )?\{[^}]*\b(?:spawn|fork|exec|execFile|Worker)\b[^}]*\} from "node:/;

test("the output of every process that a test starts is held against all known keys", () => {
  const starting = projectFiles("test").filter((path) => path.endsWith(".ts") && STARTS.test(textOf(path)));
  expect(starting.filter((path) => !OTHERS.has(path))).toEqual([]);
  expect(starting).toEqual(expect.arrayContaining([...OTHERS.keys()]));
});
