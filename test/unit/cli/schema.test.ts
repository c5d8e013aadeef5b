/** `keyward schema` prints what is published in config/, or writes it. */
import { readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { EXIT_OK } from "../../../src/cli/command.ts";
import { generatedFiles, run } from "../../../src/cli/schema.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

async function schema(cwd: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
  const stdout = new PassThrough({ encoding: "utf8" });
  const code = await run(args, { stdout, stderr: new PassThrough(), env: {}, cwd });
  stdout.end();
  return { code, output: (await stdout.toArray()).join("") };
}

test("the JSON Schema is draft 7, refuses unknown options and lets variables stand anywhere", async () => {
  const { code, output } = await schema(".");
  expect(code).toBe(EXIT_OK);
  const variable = { $ref: "#/definitions/variable" };
  expect(JSON.parse(output)).toMatchObject({
    $schema: "http://json-schema.org/draft-07/schema#",
    additionalProperties: false,
    required: ["upstreams", "keys", "routes"],
    properties: {
      listen: {
        additionalProperties: false,
        properties: {
          port: { default: 8080, anyOf: [{ type: "integer", minimum: 0, maximum: 65535 }, variable] },
        },
      },
      shutdown_grace: { default: "25s", description: expect.stringContaining("Bounds: 0s to 1h.") as string },
    },
  });
});

test("the reference page has a row for every option", async () => {
  const { output } = await schema(".", "--reference");
  expect(output).toContain('| `upstreams.<name>.timeouts.connect` | duration | `"2s"` | 10ms to 5m |');
  expect(output).not.toContain("limits");
});

test("both are written into config/", async () => {
  await using folder = await makeTempFolder();
  await folder.write("config/x", "");
  expect(await schema(folder.path, "--write")).toEqual({ code: EXIT_OK, output: "" });
  for (const [name, generate] of Object.entries(generatedFiles)) {
    expect(await readFile(folder.file(`config/${name}`), "utf8")).toBe(generate());
  }
});

test("help tells the options", async () => {
  expect((await schema(".", "--help")).output).toContain("--reference");
});
