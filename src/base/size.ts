/** Amounts of bytes as people write them: `64KiB`, `10MiB`, `1GiB`, or plain bytes. */

const UNIT_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

const WRITTEN = /^(\d{1,15})(B|KiB|MiB|GiB|TiB)?$/;

/** Bytes; undefined when the text is not a size. */
export function parseSize(text: string): number | undefined {
  const match = WRITTEN.exec(text);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * UNIT_BYTES[(match[2] ?? "B") as keyof typeof UNIT_BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest way to write whole bytes: `65536` is `64KiB`, `1000` stays as it is. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0";
  const unit = (["TiB", "GiB", "MiB", "KiB"] as const).find((unit) => bytes % UNIT_BYTES[unit] === 0);
  return unit === undefined ? String(bytes) : `${bytes / UNIT_BYTES[unit]}${unit}`;
}
