/**
 * SIGKILL of a registry server in the middle of writes, again and again on one SQLite file. What it had
 * acknowledged is there, what it had not is there whole or not at all, a repeat under the same
 * Idempotency-Key makes nothing twice, and the file is sound.
 */
import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { digestOf, formatDigest } from "../../src/keys/digest.ts";
import type { KeyRecord } from "../../src/keys/record.ts";
import { waitFor } from "../support/wait-for.ts";
import { Cluster, type Key } from "./cluster.ts";

export interface CrashOptions {
  readonly crashes: number;
  readonly onProgress?: (done: number) => void;
}

export interface CrashReport {
  readonly crashes: number;
  readonly acknowledged: { readonly created: number; readonly changed: number; readonly revoked: number };
  /** Sent and not answered, because the registry died. */
  readonly unanswered: {
    readonly creations: number;
    readonly madeAllTheSame: number;
    readonly others: number;
  };
  readonly faults: readonly string[];
  readonly seconds: number;
}

/** Writers at once. */
const WRITERS = 4;
const WRITE_MS_MAX = 300;

/** What was acknowledged of a key. */
interface Known {
  readonly secret: string;
  scopes: readonly string[];
  isRevoked: boolean;
  /** A change of it was not answered: it may or may not have come about. */
  isUncertain: boolean;
}

/** A creation that was not answered. */
interface Unanswered {
  readonly name: string;
  readonly idempotencyKey: string;
}

const SCOPES = [["read"], ["read", "write"], ["read", "write", "delete"]] as const;

export async function runCrashes({
  crashes,
  onProgress = () => undefined,
}: CrashOptions): Promise<CrashReport> {
  const startedMs = performance.now();
  await using cluster = await Cluster.start({ registries: 1, gates: 0 });
  const run = new CrashRun(cluster);
  for (let crash = 1; crash <= crashes; crash++) {
    await run.crashOnce();
    onProgress(crash);
  }
  return { crashes, ...run.report(), seconds: (performance.now() - startedMs) / 1000 };
}

class CrashRun {
  readonly #cluster: Cluster;
  readonly #keys = new Map<string, Known>();
  /** Keys that writers may change. */
  #live: string[] = [];
  #unanswered: Unanswered[] = [];
  #isKilled = false;
  #acknowledged = { created: 0, changed: 0, revoked: 0 };
  #lost = { creations: 0, madeAllTheSame: 0, others: 0 };
  #faults: string[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  report(): Pick<CrashReport, "acknowledged" | "unanswered" | "faults"> {
    return { acknowledged: this.#acknowledged, unanswered: this.#lost, faults: this.#faults };
  }

  async crashOnce(): Promise<void> {
    const { rev: revBefore } = await this.#cluster.snapshot();
    const before = this.#writes;
    const unansweredBefore = this.#lost.creations + this.#lost.others;
    this.#isKilled = false;
    const writing = Array.from({ length: WRITERS }, () => this.#write());
    await waitFor("a first write", () => this.#writes > before, { deadlineMs: 30_000, everyMs: 1 });
    await delay(Math.random() * WRITE_MS_MAX);
    this.#isKilled = true;
    await this.#cluster.killRegistry(0);
    await Promise.all(writing);
    this.#checkFile();
    await this.#cluster.startRegistry(0);
    const { rev, records } = await this.#cluster.snapshot();
    this.#check(records);
    const grown = rev - revBefore - (this.#writes - before);
    const unanswered = this.#lost.creations + this.#lost.others - unansweredBefore;
    if (grown < 0 || grown > unanswered) this.#faults.push(`${grown} revisions that nobody asked for`);
    await this.#repeatUnanswered(records);
  }

  get #writes(): number {
    const { created, changed, revoked } = this.#acknowledged;
    return created + changed + revoked;
  }

  async #write(): Promise<void> {
    while (!this.#isKilled) {
      const chance = Math.random();
      const id = chance < 0.5 ? undefined : this.#live.pop();
      if (id === undefined) await this.#create();
      else if (chance < 0.75) await this.#change(id);
      else await this.#revoke(id);
    }
  }

  async #create(): Promise<void> {
    const unanswered = { name: `Key ${randomUUID()}`, idempotencyKey: randomUUID() };
    const answer = await this.#send("POST /v1/api-keys", creation(unanswered.name), {
      "idempotency-key": unanswered.idempotencyKey,
    });
    if (answer === undefined) {
      this.#unanswered.push(unanswered);
      this.#lost.creations++;
      return;
    }
    const { id, secret } = answer as Key;
    this.#keys.set(id, { secret, scopes: SCOPES[0], isRevoked: false, isUncertain: false });
    this.#live.push(id);
    this.#acknowledged.created++;
  }

  async #change(id: string): Promise<void> {
    const known = this.#known(id);
    // Another list than it has: a change that changes nothing takes no revision.
    const scopes = SCOPES[known.scopes.length % SCOPES.length] ?? SCOPES[0];
    const answer = await this.#send(`PATCH /v1/api-keys/${id}`, { scopes });
    if (answer === undefined) return this.#uncertain(known);
    known.scopes = scopes;
    this.#live.unshift(id);
    this.#acknowledged.changed++;
  }

  async #revoke(id: string): Promise<void> {
    const known = this.#known(id);
    const answer = await this.#send(`DELETE /v1/api-keys/${id}`);
    if (answer === undefined) return this.#uncertain(known);
    known.isRevoked = true;
    this.#acknowledged.revoked++;
  }

  #uncertain(known: Known): void {
    known.isUncertain = true;
    this.#lost.others++;
  }

  /** Undefined when the registry died before it answered. */
  async #send(request: string, content?: object, headers?: Record<string, string>): Promise<unknown> {
    try {
      const answer = await this.#cluster.manage(0, request, content, headers);
      if (answer.status === 200 || answer.status === 201) return answer.json();
      this.#faults.push(`${request}: ${answer.status} ${answer.text}`);
    } catch (error) {
      if (!this.#isKilled) this.#faults.push(`${request}: ${String(error)}`);
    }
    return undefined;
  }

  #checkFile(): void {
    using database = new DatabaseSync(this.#cluster.folder.file("registry.db"));
    const found = database.prepare("PRAGMA integrity_check").all();
    const words = found.map((row) => String(row["integrity_check"])).join();
    if (words !== "ok") this.#faults.push(`the file is corrupt: ${words}`);
  }

  #check(records: readonly KeyRecord[]): void {
    const byId = new Map(records.map((record) => [record.id, record]));
    for (const [id, { secret, scopes, isRevoked, isUncertain }] of this.#keys) {
      const record = byId.get(id);
      if (record?.digest !== formatDigest(digestOf(secret))) this.#faults.push(`${id} is lost`);
      else if (isRevoked && record.revoked_at === undefined) this.#faults.push(`${id} is no longer revoked`);
      else if (!isUncertain && (record.revoked_at !== undefined) !== isRevoked)
        this.#faults.push(`${id} was revoked by nobody`);
      else if (!isUncertain && record.scopes.join() !== scopes.join())
        this.#faults.push(`${id} has the scopes ${record.scopes.join()} in place of ${scopes.join()}`);
    }
  }

  /** A client that got no answer asks again under the same key. */
  async #repeatUnanswered(records: readonly KeyRecord[]): Promise<void> {
    const names = new Map<string, number>();
    for (const { name = "" } of records) names.set(name, (names.get(name) ?? 0) + 1);
    for (const { name, idempotencyKey } of this.#unanswered) {
      const made = names.get(name) ?? 0;
      this.#lost.madeAllTheSame += made;
      const headers = { "idempotency-key": idempotencyKey };
      const { status, text } = await this.#cluster.manage(0, "POST /v1/api-keys", creation(name), headers);
      // Made: the same answer without the secret. Begun and not made: nobody else may try for a minute.
      const isReplay = status === 201 && (JSON.parse(text) as { secret: unknown }).secret === null;
      const isWell = made === 1 ? isReplay : made === 0 && (status === 409 || (status === 201 && !isReplay));
      if (!isWell) this.#faults.push(`${made} keys, and a repeat is told ${status} ${text}`);
    }
    this.#unanswered = [];
  }

  #known(id: string): Known {
    const known = this.#keys.get(id);
    if (known === undefined) throw new Error(`nobody made ${id}`);
    return known;
  }
}

function creation(name: string): object {
  return { name, organization: "org_acme", environment: "live", scopes: SCOPES[0] };
}
