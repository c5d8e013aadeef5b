/**
 * Takes one file out of a zip archive and makes it executable: `node .ci/unzip.ts ARCHIVE ENTRY TARGET`.
 * A bare machine has neither unzip nor Python. Knows stored and deflated entries, and nothing of zip64.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;

/** Sizes stand in the directory at the end; the headers before the data may leave them out. */
function findEntry(archive: Buffer, wanted: string): { start: number; size: number; method: number } {
  const end = archive.lastIndexOf(Buffer.from(Uint32Array.of(END_OF_DIRECTORY).buffer));
  if (end < 0) throw new Error("no zip archive");
  let at = archive.readUInt32LE(end + 16);
  while (archive.readUInt32LE(at) === DIRECTORY_ENTRY) {
    const nameLength = archive.readUInt16LE(at + 28);
    const header = archive.readUInt32LE(at + 42);
    if (archive.toString("utf8", at + 46, at + 46 + nameLength) === wanted) {
      const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
      return { start, size: archive.readUInt32LE(at + 20), method: archive.readUInt16LE(at + 10) };
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`no ${wanted} in the archive`);
}

const [archiveFile, entry, target] = process.argv.slice(2);
if (archiveFile === undefined || entry === undefined || target === undefined) {
  throw new Error("usage: unzip.ts ARCHIVE ENTRY TARGET");
}
const archive = readFileSync(archiveFile);
const { start, size, method } = findEntry(archive, entry);
if (method !== STORED && method !== DEFLATED) throw new Error(`compression method ${method} is not known`);
const data = archive.subarray(start, start + size);
writeFileSync(target, method === STORED ? data : inflateRawSync(data), { mode: 0o755 });
