/** A folder that is gone after the test: `await using folder = await makeTempFolder()`. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** Absolute path of a file in the folder. */
  file(name: string): string;
  /** Writes a file, making folders on the way; returns its absolute path. */
  write(name: string, content: string | Buffer): Promise<string>;
}

export async function makeTempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), "keyward-test-"));
  const file = (name: string): string => join(path, name);
  return {
    path,
    file,
    async write(name, content) {
      await mkdir(dirname(file(name)), { recursive: true });
      await writeFile(file(name), content);
      return file(name);
    },
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}
