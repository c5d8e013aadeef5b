/** Commands that work on a registry's storage itself, whether or not its server runs. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { formatCursor } from "../keys/wire.ts";
import { openStore } from "../registry/open-store.ts";
import type { Actor, Store, TokenRecord, TokenRole } from "../registry/store.ts";
import { isTokenValid, makeToken, tokenAudit, tokenRoles } from "../registry/token.ts";
import { type CommandIo, EXIT_OK } from "./command.ts";
import { failure, usageError, writeJson } from "./keys-command.ts";
import { expiryOption, expiryOptions } from "./keys-mint.ts";
import { configOption, readConfig } from "./registry-config.ts";
import { formatTitledTable, usesColour } from "./table.ts";

const commonOptions = { ...configOption, json: { type: "boolean", default: false } } as const;

const ACTOR: Actor = { kind: "cli", id: "registry", address: undefined };

/** Opens the store of the config, brings its schema up to date, and closes it afterwards. */
async function withStore<T>(
  config: string | undefined,
  io: CommandIo,
  work: (store: Store, storage: string) => Promise<T>,
): Promise<T> {
  const { storage } = readConfig(config, io);
  if (/^(sqlite:)?:memory:$/.test(storage)) throw usageError("storage is in memory: nothing would stay");
  const store = await openStore(storage, { random: systemRandom });
  try {
    await store.migrate();
    return await work(store, shownStorage(storage));
  } finally {
    await store.close();
  }
}

/** Without the password that a URL may hold. */
function shownStorage(storage: string): string {
  const url = storage.startsWith("postgres") ? URL.parse(storage) : null;
  return url === null ? storage : `${url.protocol}//${url.host}${url.pathname}`;
}

export async function init(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: commonOptions });
  return await withStore(values.config, io, async (store, storage) => {
    const nowMs = systemClock.now();
    const admin = (await store.listTokens()).find(
      (token) => token.role === "admin" && isTokenValid(token, nowMs),
    );
    if (admin !== undefined) {
      throw failure(
        `${storage} has an admin token already (${admin.id}, ${admin.name}); another one comes from ` +
          "keyward registry token create --role admin",
      );
    }
    return await addToken(
      store,
      { name: "first admin", role: "admin", expiresAt: undefined },
      values.json,
      io,
    );
  });
}

export async function token(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === "create") return await createToken(rest, io);
  if (name === "list") return await listTokens(rest, io);
  if (name === "revoke") return await revokeToken(rest, io);
  throw usageError("say what to do: token create, token list or token revoke");
}

async function createToken(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...commonOptions,
      ...expiryOptions,
      role: { type: "string" },
      name: { type: "string" },
    },
  });
  const role = tokenRoles.find((known) => known === values.role);
  if (role === undefined) throw usageError(`--role must be ${tokenRoles.join(", ")}`);
  const { name } = values;
  if (name === undefined || name.length < 1 || name.length > 200 || /[^\P{C}]/u.test(name)) {
    throw usageError("--name must be 1 to 200 printable characters: who or what will hold the token");
  }
  const expiresAt = expiryOption(values, systemClock.now());
  return await withStore(values.config, io, (store) =>
    addToken(store, { name, role, expiresAt }, values.json, io),
  );
}

async function addToken(
  store: Store,
  details: { readonly name: string; readonly role: TokenRole; readonly expiresAt: string | undefined },
  asJson: boolean,
  io: CommandIo,
): Promise<number> {
  const { secret, digest, record } = makeToken(details, systemClock.now(), systemRandom);
  await store.putToken(record, digest, tokenAudit("token.create", record, ACTOR));
  if (asJson) {
    writeJson(io, { ...record, token: secret });
    return EXIT_OK;
  }
  const until = record.expires_at === undefined ? "" : `, until ${record.expires_at}`;
  io.stderr.write(
    `Made ${record.id}: ${record.role} token "${record.name}"${until}. Shown only this once:\n`,
  );
  io.stdout.write(`${secret}\n`);
  return EXIT_OK;
}

async function listTokens(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: commonOptions });
  const tokens = await withStore(values.config, io, (store) => store.listTokens());
  if (values.json) {
    writeJson(io, { items: tokens });
    return EXIT_OK;
  }
  const nowMs = systemClock.now();
  const state = (token: TokenRecord): string => {
    if (token.revoked_at !== undefined) return "revoked";
    return isTokenValid(token, nowMs) ? "valid" : "expired";
  };
  const rows = tokens.map((each) => [each.id, each.role, state(each), each.expires_at ?? "", each.name]);
  io.stdout.write(formatTitledTable(["ID", "ROLE", "STATE", "EXPIRES", "NAME"], rows, usesColour(io)));
  return EXIT_OK;
}

async function revokeToken(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: commonOptions,
    allowPositionals: true,
  });
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw usageError("give the id of one token: tok_…");
  return await withStore(values.config, io, async (store) => {
    const found = (await store.listTokens()).find((each) => each.id === id);
    if (found === undefined) throw failure(`no token ${JSON.stringify(id)}`);
    const isNew = await store.revokeToken(id, tokenAudit("token.revoke", found, ACTOR), systemClock.now());
    if (values.json) writeJson(io, { id, revoked: true, was_revoked: !isNew });
    else io.stdout.write(isNew ? `Revoked ${id}.\n` : `${id} was revoked already.\n`);
    return EXIT_OK;
  });
}

export async function backup(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: commonOptions,
    allowPositionals: true,
  });
  const [target, ...more] = positionals;
  if (target === undefined || more.length > 0) throw usageError("give the file to write: backup FILE");
  const file = resolve(io.cwd ?? ".", target);
  if (existsSync(file)) throw failure(`${target} exists; choose another name`);
  if (!existsSync(dirname(file))) throw failure(`there is no folder ${dirname(file)}`);
  return await withStore(values.config, io, async (store) => {
    await store.backup(file);
    if (values.json) writeJson(io, { file });
    else {
      io.stderr.write(
        `Wrote ${target}. To restore it, remove the -wal and -shm files of the database that it replaces, and run ` +
          "keyward registry new-epoch before the server starts.\n",
      );
    }
    return EXIT_OK;
  });
}

export async function newEpoch(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: commonOptions });
  return await withStore(values.config, io, async (store) => {
    const cursor = await store.renewEpoch();
    if (values.json) writeJson(io, cursor);
    else io.stdout.write(`Every gate starts over; the registry stands at ${formatCursor(cursor)}.\n`);
    return EXIT_OK;
  });
}
