/**
 * Whatever happens on the way, a gate becomes what its registry is, and while it is not yet, nobody
 * whose revocation it has heard of gets in. Random histories over real sockets.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { SourceScene, recordAt, recordsUpTo } from "../../support/source-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

const KEYS = 8;

const key = fc.nat(KEYS - 1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("put" as const), key, scope: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("revoke" as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lost" as const), key, scope: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("replay" as const), number: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("early" as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("cut", "reset", "down", "garbage", "cut_snapshot") }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "pause" as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What the registry would never do of itself: bring a revoked key back. */
class History {
  readonly registry: FakeRegistry;
  readonly revoked = new Set<number>();

  constructor(registry: FakeRegistry) {
    this.registry = registry;
  }

  async take(step: Step): Promise<void> {
    const { registry } = this;
    switch (step.kind) {
      case "put":
      case "lost": {
        if (this.revoked.has(step.key)) return;
        const put = (): void => registry.put(recordAt(step.key, { scopes: [`s${step.scope}`] }));
        return step.kind === "put" ? put() : registry.silently(put);
      }
      case "revoke":
        this.revoked.add(step.key);
        return registry.revoke(recordAt(step.key).digest);
      case "replay":
        return registry.replay(step.number);
      case "early":
        // What takes the very next number would not be early, but the truth.
        return registry.sendEvent(registry.rev + 2, "upsert", recordAt(step.key, { scopes: ["admin"] }));
      case "cut":
        return registry.cutStreams();
      case "reset":
        return registry.sendEvent(registry.rev, "reset", {});
      case "down":
        await registry.down();
        return await registry.up();
      case "garbage":
        return registry.sendRaw("id: x\nevent: upsert\ndata: {\n\n");
      case "cut_snapshot":
        return registry.interfere("keys", (_, response) => {
          // The next one is whole again.
          registry.interfere("keys", undefined);
          response.writeHead(200).end(registry.snapshot().slice(0, -30));
          return true;
        });
      case "pause":
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

test.for(["sync", "lookup"] as const)("mode: %s", { timeout: 300_000 }, async (mode) => {
  const numRuns = Number(process.env["KEYWARD_HISTORIES"] ?? 12);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(KEYS) }, source: { mode } });
      const { registry, source } = scene;
      const history = new History(registry);
      await registry.streaming();
      const heard = new Set<string>();
      for (const next of steps) {
        await history.take(next);
        for (let index = 0; index < KEYS; index++) {
          const state = await scene.state(index);
          if (state === "revoked") heard.add(`${index}`);
          // The answer of a look-up may come from before; what is held may not go back.
          else if (mode === "sync") expect([index, heard.has(`${index}`)]).toEqual([index, false]);
        }
      }
      registry.interfere("keys", undefined);
      await waitFor("the gate to be current", () => source.isUp && source.cursor?.rev === registry.rev, {
        deadlineMs: 20_000,
      });
      for (let index = 0; index < KEYS; index++) {
        const found = await waitFor("an answer", async () => {
          const answer = await scene.find(index);
          return answer.kind === "unavailable" ? undefined : answer;
        });
        const truth = registry.keys.get(recordAt(index).digest);
        // Looked up, an ended key is as good as unknown.
        if (mode === "lookup" && history.revoked.has(index)) {
          if (found.kind === "found") expect(found.record.revoked_at).toBeDefined();
        } else if (history.revoked.has(index)) {
          expect(found).toMatchObject({
            kind: "found",
            record: { revoked_at: expect.any(String) as string },
          });
        } else expect(found).toMatchObject({ kind: "found", record: truth });
      }
    }),
    { numRuns },
  );
});
