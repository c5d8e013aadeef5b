/** `keyward keys list | show | verify` against a registry: the commands that only look. */
import { parseArgs } from "node:util";
import { digestOf, formatDigest } from "../keys/digest.ts";
import { compileKeyFormat } from "../keys/format.ts";
import { type CommandIo, EXIT_OK } from "./command.ts";
import { onlyPositional, usageError, writeJson } from "./keys-command.ts";
import { keyFacts, keyForPrograms, keyTable } from "./keys-output.ts";
import { checkStatus, filterOptions } from "./keys-read.ts";
import {
  foundKeySchema,
  keyPageSchema,
  keyPath,
  keySubject,
  type RemoteKey,
  remoteKeySchema,
  remoteOptions,
  withRegistry,
} from "./keys-remote.ts";
import { secretOptions, secretToVerify, tellVerdict } from "./keys-verdict.ts";
import type { RegistryApi } from "./registry-api.ts";
import { usesColour } from "./table.ts";

const LIMIT_DEFAULT = "1000";
const LIMIT_MAX = 100_000;
/** Registries may allow less: then smaller pages are asked for. */
const PAGE_MAX = 200;

const listOptions = {
  ...remoteOptions,
  ...filterOptions,
  search: { type: "string" },
  limit: { type: "string", default: LIMIT_DEFAULT },
  cursor: { type: "string" },
} as const;

export async function list(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: listOptions });
  const { organization, project, environment, status, search, cursor } = values;
  checkStatus(status);
  const limit = /^[1-9]\d{0,5}$/.test(values.limit) ? Number(values.limit) : Infinity;
  if (limit > LIMIT_MAX) throw usageError(`--limit must be a number from 1 to ${LIMIT_MAX}`);
  return await withRegistry(values, io, async (api) => {
    const filter = { organization, project, environment, status, search };
    const { keys, next } = await readKeys(api, filter, { limit, cursor });
    if (values.json) {
      writeJson(io, { keys: keys.map(keyForPrograms), next });
      return EXIT_OK;
    }
    if (keys.length === 0) io.stderr.write(`No such keys in ${api.url}.\n`);
    else io.stdout.write(keyTable(keys, usesColour(io)));
    if (next !== null) io.stderr.write(`There are more: --cursor ${next}\n`);
    return EXIT_OK;
  });
}

type Filter = Readonly<Record<string, string | undefined>>;

interface Listed {
  readonly keys: readonly RemoteKey[];
  /** Where the rest begins. */
  readonly next: string | null;
}

/** Page by page, up to the limit. */
async function readKeys(
  api: RegistryApi,
  filter: Filter,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
): Promise<Listed> {
  const keys: RemoteKey[] = [];
  let next: string | null = cursor ?? null;
  let pageSize = PAGE_MAX;
  for (;;) {
    const asked = Math.min(pageSize, limit - keys.length);
    const query = queryOf({ ...filter, limit: String(asked), cursor: next ?? undefined });
    const call = { method: "GET", path: `/v1/api-keys?${query}`, role: "viewer" } as const;
    const outcome = await api.attempt(call);
    if ("refused" in outcome) {
      const isTooMany = outcome.refused.errors.some(({ pointer }) => pointer === "limit");
      if (!isTooMany || asked === 1) throw api.refusal(outcome.refused, call);
      pageSize = Math.ceil(asked / 4);
      continue;
    }
    const page = api.read(keyPageSchema, outcome.json);
    keys.push(...page.items);
    next = page.next;
    // A page of nothing that leads on would go on for ever.
    if (next === null || keys.length >= limit || page.items.length === 0) return { keys, next };
  }
}

function queryOf(fields: Filter): string {
  const given = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return new URLSearchParams(given).toString();
}

export async function show(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: remoteOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "show");
  return await withRegistry(values, io, async (api) => {
    const call = { method: "GET", path: keyPath(id), subject: keySubject(id), role: "viewer" } as const;
    const key = await api.call(call, remoteKeySchema);
    if (values.json) writeJson(io, { key: keyForPrograms(key) });
    else io.stdout.write(keyFacts(key, usesColour(io)));
    return EXIT_OK;
  });
}

const verifyOptions = { ...remoteOptions, ...secretOptions } as const;

/** Only the secret's digest is sent, and nothing when it cannot be a key. */
export async function verify(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: verifyOptions });
  return await withRegistry(values, io, async (api) => {
    const secret = await secretToVerify(values, io);
    const fault = compileKeyFormat(undefined).check(secret);
    const key = fault === undefined ? await lookUp(api, secret) : undefined;
    return tellVerdict(io, { key, fault, where: api.url, asJson: values.json });
  });
}

async function lookUp(api: RegistryApi, secret: string): Promise<RemoteKey | undefined> {
  const body = { digest: formatDigest(digestOf(secret)) };
  const call = { method: "POST", path: "/v1/api-keys/lookup", body, role: "viewer" } as const;
  return (await api.call(call, foundKeySchema)).key ?? undefined;
}
