/** Look-ups, usage and status: optional calls with bodies. */
import { randomBase62 } from "../../base/random.ts";
import { digestOf, formatDigest } from "../../keys/digest.ts";
import { formatInstant } from "../../keys/life-cycle.ts";
import { lookupAnswerSchema, LOOKUP_DIGESTS_MAX, type UsageBatch } from "../../keys/wire.ts";
import { type Check, fail, isNotOffered, pass, skip, type Verdict } from "./check.ts";
import { parseJson, type ProtocolClient, textOf } from "./client.ts";

const unknownDigest = (): string => formatDigest(digestOf(`keyward-verify ${randomBase62(32)}`));

const lookup: Check = {
  id: "lookup",
  title: "POST keys/lookup finds what the snapshot holds, and nothing else",
  isRequired: false,
  async run(client, { known }) {
    const stranger = unknownDigest();
    const digests = [stranger, ...(known === undefined ? [] : [known.digest])];
    const response = await client.ask("keys/lookup", { method: "POST", json: { digests } });
    if (isNotOffered(response.status)) {
      await response.body?.cancel();
      return skip("not offered: gates must hold all keys");
    }
    if (response.status !== 200) return fail(`answered ${response.status}`);
    const answer = lookupAnswerSchema.safeParse(parseJson(await textOf(response)));
    if (!answer.success) return fail("the answer has not the shape {results}");
    const { results } = answer.data;
    const foreign = Object.keys(results).filter((digest) => !digests.includes(digest));
    if (foreign.length > 0) return fail("it answers about digests that were not asked for");
    if (results[stranger]?.found !== false)
      return fail("it does not say that an unknown digest is not found");
    if (known === undefined) return pass("there are no keys to look up");
    const found = results[known.digest];
    if (found?.found !== true) return fail("it does not find a digest that the snapshot holds");
    const isSame = JSON.stringify(found.record) === known.record;
    return isSame ? pass() : fail("the record is not the one of the snapshot");
  },
};

const lookupBounds: Check = {
  id: "lookup-bounds",
  title: `POST keys/lookup refuses what is no digest and more than ${LOOKUP_DIGESTS_MAX} at once`,
  isRequired: false,
  async run(client) {
    const tooMany = Array.from({ length: LOOKUP_DIGESTS_MAX + 1 }, unknownDigest);
    for (const digests of [["not a digest"], [], tooMany]) {
      const response = await client.ask("keys/lookup", { method: "POST", json: { digests } });
      await response.body?.cancel();
      if (isNotOffered(response.status)) return skip("not offered");
      if (response.status < 400 || response.status >= 500) {
        return fail(`answered ${response.status} to ${digests.length} digests instead of 4xx`);
      }
    }
    return pass();
  },
};

const GATE = "keyward-verify";

async function post(client: ProtocolClient, path: string, json: object): Promise<Verdict | undefined> {
  const response = await client.ask(path, { method: "POST", json });
  await response.body?.cancel();
  if (isNotOffered(response.status)) return skip("not offered");
  return response.ok ? undefined : fail(`answered ${response.status}`);
}

const usage: Check = {
  id: "usage",
  title: "POST usage takes a batch, and the same batch again",
  isRequired: false,
  isWriting: true,
  async run(client) {
    const now = formatInstant(client.nowMs);
    const batch: UsageBatch = { gate: GATE, boot: randomBase62(16), seq: 1, from: now, to: now, items: [] };
    return (await post(client, "usage", batch)) ?? (await post(client, "usage", batch)) ?? pass();
  },
};

const status: Check = {
  id: "status",
  title: "POST status takes what a gate has applied",
  isRequired: false,
  isWriting: true,
  async run(client, { cursor, keys }) {
    const report = { gate: GATE, version: "verify", ...cursor, keys: keys ?? 0, staleness_ms: 0 };
    return (await post(client, "status", report)) ?? pass();
  },
};

export const reportChecks: readonly Check[] = [lookup, lookupBounds, usage, status];
