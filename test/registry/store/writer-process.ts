/**
 * A process that writes keys to a store and says of each, once it is acknowledged, `ok <id> <rev>`.
 * Run as a program: `writer-process.ts <url> <prefix> <count>`.
 */
import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openStore } from "../../../src/registry/open-store.ts";
import { auditOf, created, NOW_MS, recordOf } from "./records.ts";

const program = fileURLToPath(import.meta.url);

export function writerArguments(url: string, prefix: string, count: number): readonly string[] {
  return [program, url, prefix, String(count)];
}

export interface Acknowledged {
  readonly id: string;
  readonly rev: number;
}

/** What a writer said; a last line that was cut is not counted. */
export function acknowledged(stdout: string): readonly Acknowledged[] {
  return [...stdout.matchAll(/^ok (\S+) (\d+)\n/gm)].map(([, id = "", rev]) => ({ id, rev: Number(rev) }));
}

async function main(url: string, prefix: string, count: number): Promise<void> {
  const store = await openStore(url);
  await store.migrate();
  for (let i = 0; i < count; i++) {
    const id = `${prefix}_${i}`;
    const { rev } = await store.writeKeys([created(recordOf(id))], [auditOf(id)], NOW_MS);
    // At once: the process may be killed before a stream would have written it.
    writeSync(1, `ok ${id} ${rev}\n`);
  }
  await store.close();
}

if (process.argv[1] === program) {
  const [url = "", prefix = "", count = ""] = process.argv.slice(2);
  await main(url, prefix, Number(count));
}
