/**
 * Everything that can be wrong with a registry, and what a gate then answers. The table stands in
 * ARCHITECTURE.md as well, and a test holds the two together.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { RegistryGate } from "../../support/registry-gate.ts";
import { textOf } from "../../support/source-files.ts";
import { waitFor } from "../../support/wait-for.ts";

const HOUR_MS = 3_600_000;
const ROUNDS = 5;
const ROUND_MS = 50;

interface Keys {
  /** Used before the fault. */
  readonly cached: KeyFixture;
  /** Revoked before the fault. */
  readonly revoked: KeyFixture;
  /** In no registry. */
  readonly unknown: KeyFixture;
}

interface Fault {
  readonly name: string;
  /** Begins it. With `gate`, while that runs; without, before it starts. */
  readonly begin: (registry: FakeRegistry, keys: Keys, gate?: RegistryGate) => void | Promise<void>;
  /** Status for a good key after a cold start, a key used before, an unknown one, a revoked one. */
  readonly expected: readonly [cold: number, cached: number, unknown: number, revoked: number];
  /** The registry goes on to be reached. */
  readonly isUp?: true;
  /** In `mode: lookup`, where it differs. */
  readonly lookup?: readonly [cold: number, cached: number, unknown: number, revoked: number];
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Every call answers so, and who follows has to come again. */
const answering = (handle: Handler) => (registry: FakeRegistry) => {
  registry.interfereAll((request, response) => {
    handle(request, response);
    return true;
  });
  registry.cutStreams();
};

const status = (code: number) => answering((_, response) => response.writeHead(code).end());
const AWAY = [503, 200, 503, 401] as const;
const UNHARMED = [200, 200, 401, 401] as const;

/** What is fetched when the registry says "start over". */
const snapshotOf =
  (text: (registry: FakeRegistry, keys: Keys) => string): Fault["begin"] =>
  (registry, keys) => {
    const body = text(registry, keys);
    registry.interfere("keys", (_, response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" }).end(body);
      return true;
    });
    registry.sendEvent(registry.rev, "reset", {});
  };

const faults: readonly Fault[] = [
  { name: "down", begin: (registry) => registry.down(), expected: AWAY },
  { name: "401", begin: status(401), expected: AWAY },
  { name: "403", begin: status(403), expected: AWAY },
  { name: "500", begin: status(500), expected: AWAY },
  { name: "slow", begin: answering(() => undefined), expected: AWAY },
  { name: "reset", begin: answering((request) => request.socket.resetAndDestroy()), expected: AWAY },
  {
    name: "garbage",
    begin: answering((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end("<html>It works!</html>");
    }),
    expected: AWAY,
  },
  {
    name: "redirect",
    begin: answering((_, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/v1/gate/keys" }).end();
    }),
    expected: AWAY,
  },
  {
    name: "truncated snapshot",
    begin: snapshotOf((registry) => registry.snapshot().split("\n").slice(0, -2).join("\n")),
    expected: AWAY,
    lookup: UNHARMED,
  },
  {
    name: "mass removal",
    begin: snapshotOf((registry, { unknown }) =>
      registry.snapshot([{ ...unknown.record, digest: OTHER_DIGEST }]),
    ),
    expected: [401, 200, 401, 401],
    isUp: true,
    lookup: UNHARMED,
  },
  {
    name: "out of order",
    begin: (registry, { cached, revoked }) => {
      const { rev } = registry;
      registry.sendEvent(rev + 5, "upsert", revoked.record);
      registry.sendEvent(rev + 4, "upsert", cached.record);
    },
    expected: UNHARMED,
    isUp: true,
  },
  {
    name: "replayed",
    begin: (registry, { revoked }) => {
      for (let rev = 1; rev <= registry.rev; rev++) registry.sendEvent(rev, "upsert", revoked.record);
    },
    expected: UNHARMED,
    isUp: true,
  },
  {
    name: "wrong record",
    begin: (registry, { cached, revoked }) => {
      for (const { record } of [cached, revoked]) registry.put({ ...record, only_on: "tuesdays" } as never);
    },
    expected: [503, 503, 401, 401],
    isUp: true,
  },
  {
    name: "clock jump",
    begin: (_registry, _keys, gate) => {
      if (gate !== undefined) gate.clock.wallMs -= 48 * HOUR_MS;
    },
    expected: UNHARMED,
    isUp: true,
  },
  {
    name: "clock jump ahead",
    begin: (_registry, _keys, gate) => {
      if (gate !== undefined) gate.clock.wallMs += 48 * HOUR_MS;
    },
    expected: UNHARMED,
    isUp: true,
  },
];

const OTHER_DIGEST = `sha256:${"ab".repeat(32)}`;

/** More than the half that a snapshot may leave out. */
function makeKeys(): { keys: Keys; all: readonly KeyFixture[] } {
  const keys = { cached: makeKey(), revoked: makeKey(), unknown: makeKey() };
  return { keys, all: [keys.cached, keys.revoked, makeKey(), makeKey()] };
}

describe.for(["sync", "lookup"] as const)("mode: %s", (mode) => {
  const expectedOf = (fault: Fault) => (mode === "lookup" ? fault.lookup : undefined) ?? fault.expected;

  test.for(faults)("$name, from a cold start", async (fault) => {
    const { keys, all } = makeKeys();
    await using gate = await RegistryGate.start({
      keys: all,
      options: { mode },
      prepare: (registry) => fault.begin(registry, keys),
    });
    const [cold, , unknown] = expectedOf(fault);
    const answers = [await gate.status(keys.cached), await gate.status(keys.unknown)];
    // Nothing was ever loaded: nobody can be told from anybody.
    expect(answers).toEqual([cold, cold === 503 && fault.isUp !== true ? 503 : unknown]);
    expect(gate.upstream.seen.length).toBe(cold === 200 ? 1 : 0);
  });

  test.for(faults)("$name, while it runs", async (fault) => {
    const { keys, all } = makeKeys();
    await using gate = await RegistryGate.start({ keys: all, options: { mode } });
    const { registry } = gate;
    expect([await gate.status(keys.cached), await gate.status(keys.revoked)]).toEqual([200, 200]);
    registry.revoke(keys.revoked.record.digest);
    await waitFor("the revocation", async () => (await gate.status(keys.revoked)) === 401);
    await fault.begin(registry, keys, gate);
    const [, cached, unknown, revoked] = expectedOf(fault);
    // A fresh one each time: what was found to be unknown is remembered for a while.
    const isUnknownAsExpected = async (): Promise<boolean> => (await gate.status(makeKey())) === unknown;
    await waitFor(`${fault.name} to be seen`, isUnknownAsExpected);
    await waitFor(`${fault.name} to be seen`, async () => (await gate.status(keys.cached)) === cached);
    const before = gate.upstream.seen.length;
    // It is so, and stays so while the gate tries again and again.
    const answers: number[][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      answers.push(await Promise.all([keys.cached, makeKey(), keys.revoked].map((key) => gate.status(key))));
      await delay(ROUND_MS);
    }
    expect(answers).toEqual(answers.map(() => [cached, unknown, revoked]));
    // Whoever was let in was the one good key.
    expect(gate.upstream.seen.length - before).toBe(cached === 200 ? ROUNDS : 0);
  });
});

test("the table in ARCHITECTURE.md is this one", () => {
  const row = ({ name, expected }: Fault): string => `| ${name} | ${expected.join(" | ")} |`;
  const text = textOf("ARCHITECTURE.md");
  expect(faults.map(row).filter((line) => !text.includes(line))).toEqual([]);
});
