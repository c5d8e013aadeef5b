/** A hundred reloads under load, good ones and bad ones, of config and of keys: nothing is lost. */
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { makeKey, writeGateFiles, writeKeys } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { startLightLoad } from "../../support/light-load.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type WorkersScene, startWorkers } from "./scene.ts";

const WORKERS = 2;
const ROUNDS = 20;
const RESULTS = ["success", "failure"] as const;

async function reloads(scene: WorkersScene): Promise<{ good: number; bad: number }> {
  const series = await scene.series();
  const [good, bad] = RESULTS.map(
    (result) => series.get(`keyward_config_reloads_total{result="${result}"}`) ?? 0,
  );
  return { good: good ?? 0, bad: bad ?? 0 };
}

test(
  "a hundred reloads of config and keys, good and bad, fail no request",
  { timeout: 120_000 },
  async () => {
    await using scene = await startWorkers(WORKERS);
    const { folder, fixture, key, gate } = scene;
    const visitor = makeKey();
    const load = startLightLoad(`${gate.url}/v1/memories`, { key: key.secret }, { kept: 4, fresh: 4 });
    /** What some new connections get, which the workers share: the one status, or all of them. */
    const statusOfVisitor = async (): Promise<string> => {
      const asked = Array.from({ length: 8 }, async () => {
        const answer = await ask(`${gate.url}/v1/memories`, { key: visitor.secret });
        return answer.status;
      });
      return [...new Set(await Promise.all(asked))].join(" and ");
    };
    // A signal and the change of the files beside it are one reload or two: counts alone do not tell
    // which change a worker has dealt with.
    const visitorGets = async (status: string): Promise<void> => {
      await waitFor(`the visitor to get ${status}`, async () => (await statusOfVisitor()) === status);
    };

    /** Changes something and waits until every worker has dealt with it. */
    const reload = async (kind: "good" | "bad", change: () => Promise<unknown>): Promise<void> => {
      const before = await reloads(scene);
      await change();
      await waitFor(`a ${kind} reload by each worker`, async () => {
        const now = await reloads(scene);
        return now[kind] >= before[kind] + WORKERS;
      });
    };

    let count = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await reload("good", async () => await writeKeys(folder, [key, visitor]));
      await visitorGets("200");
      await reload("bad", async () => await writeFile(folder.file("keys.yaml"), "keys:\n  - id: key_half\n"));
      // The keys from before stay, all of them.
      expect(await statusOfVisitor()).toBe("200");
      await reload("good", async () => await writeKeys(folder, [key]));
      await visitorGets("401");
      await reload(
        "bad",
        async () => await writeFile(folder.file("keyward.yaml"), "routes: [{ path: nowhere }]\n"),
      );
      // Other options of the upstream: its connections are replaced under the requests that use them.
      const upstreams = { default: { url: fixture.upstreamUrl, connections: 20 + round } };
      await reload("good", async () => {
        await writeGateFiles(folder, { ...fixture, config: { ...fixture.config, upstreams } });
        gate.child.kill("SIGHUP");
      });
      count += 5;
    }
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(count).toBe(100);
    expect(requests).toBeGreaterThan(1000);
    const lines = gate.log.filter(({ level }) => level === "error").map(({ msg }) => msg);
    expect(new Set(lines)).toEqual(new Set(["reload refused, the old config stays"]));
  },
);
