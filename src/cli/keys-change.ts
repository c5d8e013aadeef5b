/** `keyward keys create | rotate | revoke`: the commands that change the key file. */
import { parseArgs } from "node:util";
import { editKeyFile, type KeyFileEdit, withPlaceholders } from "../keys/key-file.ts";
import { createKey, revokeKey, rotateKey } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import { type CommandIo, EXIT_OK } from "./command.ts";
import {
  commonOptions,
  durationOption,
  failure,
  faultError,
  findKey,
  findKeys,
  instantOption,
  type KeysPlace,
  type KeysWorld,
  onlyPositional,
  usageError,
  writeJson,
} from "./keys-command.ts";
import {
  checkDetails,
  expiryOption,
  expiryOptions,
  formatFor,
  formatLike,
  formatOptions,
  mintSecret,
  tellSecret,
} from "./keys-mint.ts";
import { keyForPrograms, shownKey } from "./keys-output.ts";

/** What a new key may be, wherever it is kept. */
export const detailOptions = {
  ...expiryOptions,
  name: { type: "string" },
  organization: { type: "string" },
  "organization-name": { type: "string" },
  project: { type: "string" },
  "project-name": { type: "string" },
  environment: { type: "string" },
  "environment-name": { type: "string" },
  scopes: { type: "string", multiple: true, default: [] as string[] },
  folders: { type: "string", multiple: true },
  "not-before": { type: "string" },
} as const;

const createOptions = { ...commonOptions, ...formatOptions, ...detailOptions } as const;

export async function create(args: readonly string[], io: CommandIo, world: KeysWorld): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: createOptions });
  const place = findKeys(values, io);
  const nowMs = world.clock.now();
  if (values.organization === undefined) throw usageError("--organization is needed, for example org_acme");
  const format = formatFor(place, values, values.environment);
  const environment = values.environment ?? onlyOne(format.environments);
  const notBefore = values["not-before"];
  const details = checkDetails({
    name: values.name,
    organization: owner(values.organization, values["organization-name"]),
    project: values.project === undefined ? undefined : owner(values.project, values["project-name"]),
    environment,
    environment_name: values["environment-name"],
    scopes: splitList(values.scopes),
    folders: values.folders === undefined ? undefined : splitList(values.folders),
    not_before: notBefore === undefined ? undefined : instantOption("--not-before", notBefore),
    expires_at: expiryOption(values, nowMs),
  });
  const secret = mintSecret(format, environment, place, world.random);
  const record = createKey(details, { secret, nowMs, random: world.random });
  await editFile(place, io, world, () => ({ value: undefined, added: [record] }), { create: true });
  const shown = shownKey(record, nowMs);
  if (values.json) writeJson(io, { secret, key: keyForPrograms(shown) });
  else tellSecret(io, place.shown, secret, shown);
  return EXIT_OK;
}

const rotateOptions = {
  ...commonOptions,
  ...formatOptions,
  ...expiryOptions,
  overlap: { type: "string", default: "24h" },
} as const;

export async function rotate(args: readonly string[], io: CommandIo, world: KeysWorld): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: rotateOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "rotate");
  const place = findKeys(values, io);
  const overlapMs = durationOption("--overlap", values.overlap, 0);
  const nowMs = world.clock.now();
  const expires_at = expiryOption(values, nowMs);
  const { secret, old, successor } = await editFile(place, io, world, (records) => {
    const record = findKey(records, id, place);
    const format = formatLike(place, values, record);
    const secret = mintSecret(format, record.environment, place, world.random);
    const rotation = rotateKey(record, overlapMs, { secret, nowMs, random: world.random });
    if (!rotation.ok) throw failure(ROTATION_FAULTS[rotation.fault](record));
    const successor = expires_at === undefined ? rotation.successor : { ...rotation.successor, expires_at };
    return { value: { secret, old: rotation.old, successor }, changed: [rotation.old], added: [successor] };
  });
  const [shown, replaced] = [shownKey(successor, nowMs), shownKey(old, nowMs)];
  if (values.json) {
    writeJson(io, { secret, key: keyForPrograms(shown), replaced: keyForPrograms(replaced) });
  } else {
    tellSecret(io, place.shown, secret, shown);
    io.stderr.write(`${old.id}, which it replaces, works until ${old.expires_at}.\n`);
  }
  return EXIT_OK;
}

const ROTATION_FAULTS = {
  revoked: ({ id }: KeyRecord) => `${id} is revoked: make a new key instead`,
  expired: ({ id }: KeyRecord) => `${id} has expired: make a new key instead`,
  rotated: ({ id, successor }: KeyRecord) =>
    `${id} was rotated already: rotate ${successor ?? "its successor"} instead`,
} as const;

export async function revoke(args: readonly string[], io: CommandIo, world: KeysWorld): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: commonOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "revoke");
  const place = findKeys(values, io);
  const nowMs = world.clock.now();
  const { before, after } = await editFile(place, io, world, (records) => {
    const before = findKey(records, id, place);
    const after = revokeKey(before, nowMs);
    return { value: { before, after }, changed: before === after ? [] : [after] };
  });
  if (values.json) writeJson(io, { key: keyForPrograms(shownKey(after, nowMs)) });
  else if (before === after) io.stdout.write(`${id} was revoked already, at ${after.revoked_at}.\n`);
  else io.stdout.write(`Revoked ${id}. A running gate refuses it once it has read ${place.shown} again.\n`);
  return EXIT_OK;
}

async function editFile<T>(
  place: KeysPlace,
  io: CommandIo,
  { clock }: KeysWorld,
  edit: (records: readonly KeyRecord[]) => KeyFileEdit<T>,
  { create = false }: { readonly create?: boolean } = {},
): Promise<T> {
  const outcome = await editKeyFile(place.file, { env: withPlaceholders(io.env), clock, create }, edit);
  if (!outcome.ok) throw faultError(outcome.faults, place.shown);
  if (outcome.modeTaken !== 0) {
    io.stderr.write(
      `${place.shown} was open to everybody and no longer is: its owner must be the gate's user.\n`,
    );
  }
  return outcome.value;
}

/** `org_acme:Acme Corp` names both; with a name of its own the whole text is the id. */
export function owner(written: string, name: string | undefined): { id: string; name?: string } {
  if (name !== undefined) return { id: written, name };
  const colon = written.indexOf(":");
  if (colon === -1) return { id: written };
  return { id: written.slice(0, colon), name: written.slice(colon + 1) };
}

/** `--scopes read,write` and `--scopes read --scopes write` are the same. */
export function splitList(written: readonly string[]): string[] {
  const items = written.flatMap((list) => list.split(",")).map((item) => item.trim());
  return [...new Set(items.filter((item) => item !== ""))];
}

function onlyOne(names: readonly string[]): string | undefined {
  return names.length === 1 ? names[0] : undefined;
}
