/** `keyward keys create | rotate` against a registry: the commands after which there is a new secret. */
import { parseArgs } from "node:util";
import { type CommandIo, EXIT_OK } from "./command.ts";
import { detailOptions, owner, splitList } from "./keys-change.ts";
import {
  durationOption,
  instantOption,
  type KeysWorld,
  onlyPositional,
  usageError,
  writeJson,
} from "./keys-command.ts";
import { expiryOption, expiryOptions, type ExpiryValues, tellSecret } from "./keys-mint.ts";
import { keyForPrograms } from "./keys-output.ts";
import {
  idempotencyKey,
  keyPath,
  keySubject,
  madeKeySchema,
  makingOptions,
  remoteKeySchema,
  remoteOptions,
  rotatedSchema,
  secretOf,
  withRegistry,
} from "./keys-remote.ts";

const createOptions = {
  ...remoteOptions,
  ...makingOptions,
  ...detailOptions,
  prefix: { type: "string" },
} as const;

export async function create(args: readonly string[], io: CommandIo, { clock }: KeysWorld): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: createOptions });
  if (values.organization === undefined) throw usageError("--organization is needed, for example org_acme");
  const { project, folders, "not-before": notBefore } = values;
  const body = {
    name: values.name,
    organization: owner(values.organization, values["organization-name"]),
    project: project === undefined ? undefined : owner(project, values["project-name"]),
    environment: values.environment,
    environment_name: values["environment-name"],
    scopes: splitList(values.scopes),
    folders: folders === undefined ? undefined : splitList(folders),
    not_before: notBefore === undefined ? undefined : instantOption("--not-before", notBefore),
    ...expiryFields(values, clock.now()),
    prefix: values.prefix,
  };
  return await withRegistry(values, io, async (api) => {
    const made = await api.call(
      {
        method: "POST",
        path: "/v1/api-keys",
        body,
        idempotencyKey: idempotencyKey(values["idempotency-key"]),
        role: "operator",
      },
      madeKeySchema,
    );
    const { secret: _, notice: __, ...key } = made;
    const secret = secretOf(made);
    if (values.json) writeJson(io, { secret, key: keyForPrograms(key) });
    else tellSecret(io, api.url, secret, key);
    return EXIT_OK;
  });
}

const rotateOptions = {
  ...remoteOptions,
  ...makingOptions,
  ...expiryOptions,
  overlap: { type: "string" },
  finish: { type: "boolean", default: false },
  cancel: { type: "boolean", default: false },
} as const;

const OVERLAP_DEFAULT = "24h";

export async function rotate(args: readonly string[], io: CommandIo, { clock }: KeysWorld): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: rotateOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "rotate");
  const { finish, cancel, overlap = OVERLAP_DEFAULT } = values;
  const expiry = expiryFields(values, clock.now());
  if (finish || cancel) {
    const others = [values.overlap, ...Object.values(expiry)].some((given) => given !== undefined);
    if ((finish && cancel) || others) throw usageError("--finish and --cancel go alone");
    return await endRotation(values, io, id, finish ? "finish" : "cancel");
  }
  durationOption("--overlap", overlap, 0);
  return await withRegistry(values, io, async (api) => {
    const made = await api.call(
      {
        method: "POST",
        path: keyPath(id, "/rotate"),
        body: { overlap, ...expiry },
        idempotencyKey: idempotencyKey(values["idempotency-key"]),
        subject: keySubject(id),
        role: "operator",
      },
      rotatedSchema,
    );
    const { secret: _, notice: __, previous, ...key } = made;
    const secret = secretOf(made);
    if (values.json) {
      writeJson(io, { secret, key: keyForPrograms(key), replaced: keyForPrograms(previous) });
      return EXIT_OK;
    }
    tellSecret(io, api.url, secret, key);
    const isOver = previous.status === "revoked";
    const end = isOver ? "is revoked" : `works until ${previous.expires_at ?? "it is revoked"}`;
    io.stderr.write(`${previous.id}, which it replaces, ${end}.\n`);
    return EXIT_OK;
  });
}

/** Ends the overlap now, or takes the rotation back. */
function endRotation(
  values: Parameters<typeof withRegistry>[0] & { readonly json: boolean },
  io: CommandIo,
  id: string,
  how: "finish" | "cancel",
): Promise<number> {
  return withRegistry(values, io, async (api) => {
    const path = keyPath(id, `/rotate/${how}`);
    const call = { method: "POST", path, subject: keySubject(id), role: "operator" } as const;
    const key = await api.call(call, remoteKeySchema);
    if (values.json) writeJson(io, { key: keyForPrograms(key) });
    else if (how === "finish") io.stdout.write(`Revoked ${key.id}; its successor stays.\n`);
    else io.stdout.write(`${key.id} stays as it was; its successor is revoked.\n`);
    return EXIT_OK;
  });
}

/** Days count by the registry's clock, other spans by this machine's. */
function expiryFields(
  values: ExpiryValues,
  nowMs: number,
): { expires_in_days?: number; expires_at?: string } {
  const expires_at = expiryOption(values, nowMs);
  const days = values["expires-in-days"];
  if (days !== undefined) return { expires_in_days: Number(days) };
  return expires_at === undefined ? {} : { expires_at };
}
