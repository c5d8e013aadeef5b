/** `GET keys`: the one call that every registry must have. */
import { formatDigest } from "../../keys/digest.ts";
import { type SnapshotHead, readSnapshot } from "../../keys/snapshot-reader.ts";
import { type Cursor, formatCursor } from "../../keys/wire.ts";
import { type Check, fail, type Findings, pass, skip, type Verdict } from "./check.ts";
import { chunksOf, type ProtocolClient } from "./client.ts";

interface ReadKeys {
  readonly head: SnapshotHead;
  readonly lines: number;
  /** Notes on records that a gate would refuse. */
  readonly refused: readonly string[];
  readonly first: Findings["known"];
}

/** @throws RegistryFault for whatever a gate would not apply */
async function readKeys(response: Response): Promise<ReadKeys> {
  let lines = 0;
  let first: Findings["known"];
  const refused: string[] = [];
  const head = await readSnapshot(chunksOf(response), {
    readHead: () => true,
    record: (digest, record) => {
      lines++;
      first ??= { digest: formatDigest(digest), record: JSON.stringify(record) };
    },
    removed: () => void lines++,
    refused: (_digest, note) => {
      lines++;
      if (refused.length < 10) refused.push(note);
    },
  });
  if (head === undefined) throw new Error("the snapshot was left");
  return { head, lines, refused, first };
}

const snapshot: Check = {
  id: "snapshot",
  title: "GET keys gives a whole snapshot: head, records, end, count and checksum",
  isRequired: true,
  async run(client, findings) {
    const response = await client.ask("keys");
    if (response.status !== 200) {
      await response.body?.cancel();
      return fail(`answered ${response.status} instead of 200${hintFor(response.status)}`);
    }
    const read = await readKeys(response);
    if (read.head.kind !== "snapshot") return fail("is a delta, although none was asked for");
    if (read.refused.length > 0) return fail(`a gate would refuse records: ${read.refused.join("; ")}`);
    findings.cursor = { epoch: read.head.epoch, rev: read.head.rev };
    findings.keys = read.lines;
    if (read.first !== undefined) findings.known = read.first;
    return pass(`${read.lines} keys at ${formatCursor(findings.cursor)}`);
  },
};

function hintFor(status: number): string {
  return status === 404 ? "; the base URL is what stands before /keys" : "";
}

const authentication: Check = {
  id: "authentication",
  title: "Without the token, and with a wrong one, nothing is given out",
  isRequired: true,
  async run(client) {
    for (const token of [null, "kwt_gate_00000000000000000000000000000000"]) {
      const response = await client.ask("keys", { token });
      await response.body?.cancel();
      const what = token === null ? "no token" : "a wrong token";
      if (response.status !== 401 && response.status !== 403) {
        return fail(`answered ${response.status} to ${what} instead of 401`);
      }
    }
    return pass();
  },
};

const etag: Check = {
  id: "etag",
  title: 'ETag is "<epoch>:<rev>", and If-None-Match gives 304',
  isRequired: false,
  async run(client) {
    const response = await client.ask("keys");
    const tag = response.headers.get("etag");
    const { head } = await readKeys(response);
    if (tag === null) return skip("there is no ETag: every poll is a whole snapshot");
    // A plain web server has a tag of its own; what counts is that it saves the transfer.
    const isCursor = tag === `"${formatCursor(head)}"`;
    const again = await client.ask("keys", { headers: { "if-none-match": tag } });
    await again.body?.cancel();
    if (again.status === 304) return pass(isCursor ? undefined : `with a tag of its own kind, ${tag}`);
    // Somebody may have changed a key in between.
    const newTag = again.headers.get("etag");
    return again.status === 200 && newTag !== tag
      ? pass("the keys changed meanwhile")
      : fail(`If-None-Match with the current tag answered ${again.status}`);
  },
};

const gzip: Check = {
  id: "gzip",
  title: "Accept-Encoding: gzip gives the same snapshot, compressed",
  isRequired: false,
  async run(client) {
    const response = await client.ask("keys", { headers: { "accept-encoding": "gzip" } });
    const coding = response.headers.get("content-encoding");
    await readKeys(response);
    return coding === "gzip" ? pass() : skip("it is sent as it is");
  },
};

async function askSince(client: ProtocolClient, since: string): Promise<ReadKeys | number> {
  const response = await client.ask(`keys?since=${encodeURIComponent(since)}`);
  if (response.status === 200) return await readKeys(response);
  await response.body?.cancel();
  return response.status;
}

const delta: Check = {
  id: "delta",
  title: "GET keys?since=<now> gives a delta without lines, or a snapshot, or 410",
  isRequired: true,
  async run(client, { cursor }) {
    if (cursor === undefined) return fail("there was no snapshot");
    const read = await askSince(client, formatCursor(cursor));
    if (typeof read === "number") return sinceVerdict(read);
    if (read.head.kind === "snapshot") return pass("it always gives the whole snapshot");
    const isMoved = read.head.rev !== cursor.rev;
    if (read.head.epoch !== cursor.epoch) return fail("the delta is of another epoch");
    return read.lines === 0 || isMoved ? pass() : fail(`${read.lines} lines, although nothing changed`);
  },
};

const foreignCursor: Check = {
  id: "foreign-cursor",
  title: "A cursor of another epoch or from the future never gives a delta",
  isRequired: true,
  async run(client, { cursor }) {
    if (cursor === undefined) return fail("there was no snapshot");
    const foreign: readonly Cursor[] = [
      { epoch: "keyward-verify-foreign", rev: cursor.rev },
      { epoch: cursor.epoch, rev: cursor.rev + 1_000_000 },
    ];
    for (const since of foreign) {
      const read = await askSince(client, formatCursor(since));
      if (typeof read === "number") {
        const verdict = sinceVerdict(read);
        if (verdict.outcome === "fail") return verdict;
      } else if (read.head.kind === "delta") {
        return fail(`gave a delta for ${formatCursor(since)}: a gate would miss what came before`);
      }
    }
    return pass();
  },
};

function sinceVerdict(status: number): Verdict {
  return status === 410 ? pass("410") : fail(`answered ${status} instead of 200 or 410`);
}

export const snapshotChecks: readonly Check[] = [authentication, snapshot, etag, gzip, delta, foreignCursor];
