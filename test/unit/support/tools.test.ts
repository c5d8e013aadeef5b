import { readFile } from "node:fs/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { requireTool } from "../../support/tools.ts";

describe("requireTool", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("finds a program on the PATH", () => {
    expect(requireTool("sh", "nothing")).toMatch(/\/sh$/);
  });

  test("on a developer's machine, names what is left out", async () => {
    await using folder = await makeTempFolder();
    vi.stubEnv("CI", undefined);
    vi.stubEnv("KEYWARD_LEFT_OUT", folder.file("left-out"));
    expect(requireTool("no-such-program", "the moon is round")).toBeUndefined();
    expect(await readFile(folder.file("left-out"), "utf8")).toBe(
      "the moon is round: no-such-program (.ci/install-tools)\n",
    );
  });

  test("in CI, fails", () => {
    vi.stubEnv("CI", "true");
    expect(() => requireTool("no-such-program", "the moon is round")).toThrow("missing tool");
  });
});
