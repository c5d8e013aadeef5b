/** A key as the commands show it: never its secret, never its whole digest. */
import { isUsable, type KeyStatus, statusOf } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import { formatTable, formatTitledTable, type Row, type Style } from "./table.ts";

const STATUS_STYLES: Readonly<Record<KeyStatus, Style>> = {
  active: "green",
  rotating: "yellow",
  not_yet_valid: "yellow",
  expired: "dim",
  revoked: "red",
};

/** A key and where it stands, by this machine's clock or the registry's. */
export interface ShownKey extends Omit<KeyRecord, "digest"> {
  readonly status: KeyStatus;
  /** Its first digits only. */
  readonly digest_start?: string;
  readonly last_used_at?: string | undefined;
}

/** A key of a file. */
export function shownKey(record: KeyRecord, nowMs: number): ShownKey {
  const { digest, ...shown } = record;
  const digest_start = digest.slice(0, "sha256:".length + 8);
  return { ...shown, status: statusOf(record, nowMs), digest_start };
}

/** The key for programs: the fields of the key file and where it stands. */
export function keyForPrograms(key: ShownKey): object {
  const { digest_start: _, ...shown } = key;
  return shown;
}

/** One key a line. */
export function keyTable(keys: readonly ShownKey[], isColoured: boolean): string {
  const titles = [
    "ID",
    "STATUS",
    "ORGANIZATION",
    "PROJECT",
    "ENVIRONMENT",
    "SCOPES",
    "EXPIRES",
    "LAST USED",
    "NAME",
  ];
  const rows = keys.map((record): Row => {
    const { status } = record;
    return [
      { text: record.id, style: isUsable(status) ? "bold" : "dim" },
      { text: status, style: STATUS_STYLES[status] },
      record.organization.id,
      record.project?.id ?? "",
      record.environment ?? "",
      shorten(record.scopes.join(" "), SCOPES_WIDTH_MAX),
      record.expires_at ?? "",
      record.last_used_at ?? "",
      record.name ?? "",
    ];
  });
  return formatTitledTable(titles, rows, isColoured);
}

/** Everything about one key, a fact a line. */
export function keyFacts(record: ShownKey, isColoured: boolean, indent = ""): string {
  const { status, digest_start: digestStart } = record;
  const { environment, environment_name: environmentName } = record;
  const facts: (readonly [name: string, value: string | undefined, style?: Style])[] = [
    ["id", record.id, "bold"],
    ["status", status, STATUS_STYLES[status]],
    ["name", record.name],
    ["starts with", record.start],
    ["digest", digestStart === undefined ? undefined : `${digestStart}…`],
    ["organization", named(record.organization)],
    ["project", record.project === undefined ? undefined : named(record.project)],
    [
      "environment",
      environment === undefined ? undefined : named({ id: environment, name: environmentName }),
    ],
    ["scopes", record.scopes.length === 0 ? "none" : record.scopes.join(" ")],
    ["folders", record.folders?.join(" ")],
    ["created", record.created_at],
    ["not before", record.not_before],
    ["expires", record.expires_at],
    ["rotated", record.rotated_at],
    ["successor", record.successor],
    ["revoked", record.revoked_at],
    ["last used", record.last_used_at],
  ];
  const rows = facts.flatMap(([name, text, style]): Row[] =>
    text === undefined
      ? []
      : [[{ text: indent + name, style: "dim" }, style === undefined ? text : { text, style }]],
  );
  return formatTable(rows, isColoured);
}

const SCOPES_WIDTH_MAX = 40;

function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

function named({ id, name }: { readonly id: string; readonly name?: string | undefined }): string {
  return name === undefined ? id : `${id} (${name})`;
}
