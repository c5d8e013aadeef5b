/**
 * The console's files, in memory: read when somebody first asks, compressed once, found by their
 * exact name. There is no path to walk: what is not in the table is not there.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

export interface ConsoleFile {
  /** `index.html`, or `assets/…` with a hash of the content in its name. */
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export type Coding = "br" | "gzip" | "identity";

export interface Asset {
  readonly contentType: string;
  readonly bodies: Readonly<Record<Coding, Buffer>>;
}

export type LoadConsole = () => Promise<readonly ConsoleFile[]>;

export class ConsoleAssets {
  readonly #load: LoadConsole;
  #loading: Promise<ReadonlyMap<string, Asset>> | undefined;

  constructor(load: LoadConsole) {
    this.#load = load;
  }

  /** Rejects when the files cannot be had; the next call tries again. */
  async find(path: string): Promise<Asset | undefined> {
    this.#loading ??= this.#loadAll();
    return (await this.#loading).get(path);
  }

  async #loadAll(): Promise<ReadonlyMap<string, Asset>> {
    try {
      const files = await this.#load();
      return new Map(await Promise.all(files.map(async (file) => [file.path, await assetOf(file)] as const)));
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }
}

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

async function assetOf({ contentType, bytes }: ConsoleFile): Promise<Asset> {
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength };
  const [br, gz] = await Promise.all([brotli(bytes, { params }), zip(bytes, { level: 9 })]);
  return { contentType, bodies: { br, gzip: gz, identity: Buffer.from(bytes) } };
}

/** What the client takes, the smallest first (RFC 9110 section 12.5.3). */
export function codingFor(accepted: string | undefined): Coding {
  const weights = new Map<string, number>();
  for (const part of (accepted ?? "").toLowerCase().split(",")) {
    const [name = "", ...params] = part.split(";").map((piece) => piece.trim());
    const weight = params.find((param) => param.startsWith("q="))?.slice("q=".length);
    weights.set(name, weight === undefined ? 1 : Number(weight));
  }
  const takes = (coding: Coding): boolean => (weights.get(coding) ?? weights.get("*") ?? 0) > 0;
  if (takes("br")) return "br";
  return takes("gzip") ? "gzip" : "identity";
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};

/** Files built beforehand; undefined when the folder holds no console. */
export async function readPrebuilt(folder: string): Promise<readonly ConsoleFile[] | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const paths = names.map((name) => name.replaceAll("\\", "/"));
  if (!paths.includes("index.html")) return undefined;
  const files = paths.flatMap((path) => {
    const contentType = TYPES[/\.([a-z]+)$/.exec(path)?.[1] ?? ""];
    return contentType === undefined ? [] : [{ path, contentType }];
  });
  return await Promise.all(
    files.map(async (file) => ({ ...file, bytes: await readFile(join(folder, file.path)) })),
  );
}
