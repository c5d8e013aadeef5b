/** A delta applied to an old snapshot gives the new snapshot, whatever happened in between. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

type Action =
  | { readonly kind: "create" }
  | { readonly kind: "patch" | "revoke" | "rotate" | "finish" | "cancel"; readonly key: number }
  | { readonly kind: "mark" };

const keyed = fc.record({
  kind: fc.constantFrom(
    "patch" as const,
    "revoke" as const,
    "rotate" as const,
    "finish" as const,
    "cancel" as const,
  ),
  key: fc.nat(20),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constant({ kind: "create" } as const),
  keyed,
  keyed,
  fc.constant({ kind: "mark" } as const),
);

type Records = Map<string, string>;

interface Read {
  readonly cursor: string;
  readonly records: Records;
}

async function read(registry: RegistryScene, since?: string): Promise<Read> {
  const query = since === undefined ? "" : `?since=${since}`;
  const { text } = await registry.call(`GET /v1/gate/keys${query}`, { role: "gate" });
  const [first = "", ...lines] = text.trimEnd().split("\n");
  const { epoch, rev } = JSON.parse(first) as { epoch: string; rev: number };
  const records = lines
    .slice(0, -1)
    .map((line): [string, string] => [(JSON.parse(line) as { id: string }).id, line]);
  return { cursor: `${epoch}:${rev}`, records: new Map(records) };
}

let renames = 0;

async function perform(registry: RegistryScene, ids: string[], step: Action): Promise<void> {
  if (step.kind === "mark") return;
  if (step.kind === "create") {
    ids.push((await registry.makeKey()).id);
    return;
  }
  const id = ids[step.key % Math.max(1, ids.length)];
  if (id === undefined) return;
  const path = `/v1/api-keys/${id}`;
  // A refusal (409) is as good as a change here.
  if (step.kind === "patch") await registry.call(`PATCH ${path}`, { json: { name: `name ${renames++}` } });
  else if (step.kind === "revoke") await registry.call(`DELETE ${path}`);
  else if (step.kind === "rotate") {
    const answer = await registry.call(`POST ${path}/rotate`);
    if (answer.status === 201) ids.push((answer.json() as { id: string }).id);
  } else await registry.call(`POST ${path}/rotate/${step.kind}`);
}

test("old snapshot + delta = new snapshot, from every point in the past", async () => {
  await using registry = await startRegistry();
  const ids: string[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (steps) => {
      const marks: Read[] = [await read(registry)];
      for (const step of steps) {
        await perform(registry, ids, step);
        if (step.kind === "mark") marks.push(await read(registry));
      }
      const now = await read(registry);
      for (const mark of marks) {
        const delta = await read(registry, mark.cursor);
        expect(delta.cursor).toBe(now.cursor);
        const applied = new Map([...mark.records, ...delta.records]);
        expect(Object.fromEntries(applied)).toEqual(Object.fromEntries(now.records));
      }
    }),
    { numRuns: 12 },
  );
  expect(registry.faults).toEqual([]);
});
