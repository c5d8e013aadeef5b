/** `keyward keys list | show | verify`: the commands that only look. */
import { parseArgs } from "node:util";
import { digestOf } from "../keys/digest.ts";
import { loadKeyFile } from "../keys/file-source.ts";
import { compileKeyFormat } from "../keys/format.ts";
import { withPlaceholders } from "../keys/key-file.ts";
import { keyStatuses } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import { type CommandIo, EXIT_OK } from "./command.ts";
import {
  commonOptions,
  faultError,
  findKey,
  findKeys,
  type KeysPlace,
  type KeysWorld,
  onlyPositional,
  usageError,
  writeJson,
} from "./keys-command.ts";
import { keyFacts, keyForPrograms, keyTable, shownKey } from "./keys-output.ts";
import { secretOptions, secretToVerify, tellVerdict } from "./keys-verdict.ts";
import { usesColour } from "./table.ts";

export const filterOptions = {
  organization: { type: "string" },
  project: { type: "string" },
  environment: { type: "string" },
  status: { type: "string" },
} as const;

const listOptions = { ...commonOptions, ...filterOptions } as const;

/** @throws CommandError when there is no such status */
export function checkStatus(status: string | undefined): void {
  if (status === undefined || keyStatuses.some((known) => known === status)) return;
  throw usageError(`--status must be one of ${keyStatuses.join(", ")}`);
}

export function list(args: readonly string[], io: CommandIo, { clock }: KeysWorld): number {
  const { values } = parseArgs({ args: [...args], options: listOptions });
  const { organization, project, environment, status } = values;
  checkStatus(status);
  const place = findKeys(values, io);
  const nowMs = clock.now();
  const keys = readRecords(place, withPlaceholders(io.env))
    .map((record) => shownKey(record, nowMs))
    .filter(
      (key) =>
        (organization === undefined || key.organization.id === organization) &&
        (project === undefined || key.project?.id === project) &&
        (environment === undefined || key.environment === environment) &&
        (status === undefined || key.status === status),
    );
  if (values.json) writeJson(io, { keys: keys.map(keyForPrograms) });
  else if (keys.length === 0) io.stderr.write(`No such keys in ${place.shown}.\n`);
  else io.stdout.write(keyTable(keys, usesColour(io)));
  return EXIT_OK;
}

export function show(args: readonly string[], io: CommandIo, { clock }: KeysWorld): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: commonOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "show");
  const place = findKeys(values, io);
  const nowMs = clock.now();
  const key = shownKey(findKey(readRecords(place, withPlaceholders(io.env)), id, place), nowMs);
  if (values.json) writeJson(io, { key: keyForPrograms(key) });
  else io.stdout.write(keyFacts(key, usesColour(io)));
  return EXIT_OK;
}

const verifyOptions = { ...commonOptions, ...secretOptions } as const;

/** Says which key a secret is and whether the gate would take it; never repeats the secret. */
export async function verify(args: readonly string[], io: CommandIo, { clock }: KeysWorld): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: verifyOptions });
  const place = findKeys(values, io);
  const secret = await secretToVerify(values, io);
  const nowMs = clock.now();
  const fault = compileKeyFormat(place.format).check(secret);
  // With the real environment: what the gate does not know, this must not know either.
  const records = loadKeyFile(place.file, io.env);
  if (!records.ok) throw faultError(records.faults, place.shown);
  const record = fault === undefined ? records.records.get(digestOf(secret)) : undefined;
  const key = record === undefined ? undefined : shownKey(record, nowMs);
  return tellVerdict(io, { key, fault, where: place.shown, asJson: values.json });
}

function readRecords(place: KeysPlace, env: CommandIo["env"]): readonly KeyRecord[] {
  const loaded = loadKeyFile(place.file, env);
  if (!loaded.ok) throw faultError(loaded.faults, place.shown);
  return [...loaded.records.values()];
}
