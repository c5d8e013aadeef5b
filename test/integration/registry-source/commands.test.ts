/** `check` and `explain` for a gate that lives from a registry. */
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import * as check from "../../../src/cli/check.ts";
import type { CommandIo } from "../../../src/cli/command.ts";
import * as explain from "../../../src/cli/explain.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { makeKey, writeGateFiles } from "../../support/fixtures.ts";
import { type TempFolder, makeTempFolder } from "../../support/temp-folder.ts";

async function writeConfig(folder: TempFolder, registry: FakeRegistry): Promise<string> {
  const keys = {
    registry: { url: registry.url, token_file: "token", timeouts: { connect: "300ms", request: "500ms" } },
  };
  await folder.write("token", `${registry.token}\n`);
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:1",
    config: { keys },
  });
  return configFile;
}

function makeIo(): { readonly io: CommandIo; readonly said: () => string } {
  let text = "";
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { io: { stdout, stderr: stdout, env: {} }, said: () => text };
}

test("explain asks the registry about the key, and tells what a gate would do", async () => {
  const key = makeKey();
  await using folder = await makeTempFolder();
  await using registry = await FakeRegistry.start({ keys: [key.record] });
  const configFile = await writeConfig(folder, registry);
  const args = ["--config", configFile, "--path", "/v1/memories", "--json", "--key"];
  const known = makeIo();
  expect(await explain.run([...args, key.secret], known.io)).toBe(0);
  expect(JSON.parse(known.said())).toMatchObject({ action: "forward", key_id: key.record.id });
  // Neither did it take all keys, nor did it report as a gate.
  expect([registry.calls("lookup") > 0, registry.statuses, registry.usage]).toEqual([true, [], []]);

  const unknown = makeIo();
  expect(await explain.run([...args, makeKey().secret], unknown.io)).toBe(1);
  expect(JSON.parse(unknown.said())).toMatchObject({ action: "deny", code: "key_invalid" });

  await registry.down();
  const away = makeIo();
  expect(await explain.run([...args, key.secret], away.io)).toBe(1);
  expect(JSON.parse(away.said())).toMatchObject({ code: "registry_unavailable", status: 503 });
});

test("explain tells what only the registry can answer, and what is no call on keys", async () => {
  const key = makeKey();
  await using folder = await makeTempFolder();
  await using registry = await FakeRegistry.start({ keys: [key.record] });
  await folder.write("token", `${registry.token}\n`);
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:1",
    config: {
      keys: { registry: { url: registry.url, token_file: "token" } },
      routes: [{ path: "/v1/account/api-keys/**", handler: "keys" }],
    },
  });
  const explained = async (path: string, ...more: readonly string[]): Promise<string> => {
    const { io, said } = makeIo();
    const args = ["--config", configFile, "--key", key.secret, "--path", `/v1/account/api-keys${path}`];
    expect(await explain.run([...args, ...more], io)).toBe(0);
    return said();
  };
  expect(await explained("")).toContain("answered by the gate (keys), from the registry");
  expect(JSON.parse(await explained("", "--json"))).not.toHaveProperty("status");
  expect(await explained("/key_1/nothing")).toContain("answered by the gate (keys): 404 key_not_found");
  expect(await explained("", "--method", "PUT")).toContain("405 method_not_allowed");
});

test("explain takes all keys where single ones cannot be asked for", async () => {
  const key = makeKey();
  await using folder = await makeTempFolder();
  await using registry = await FakeRegistry.start({ keys: [key.record, makeKey().record] });
  for (const call of ["lookup", "changes"] as const) {
    registry.interfere(call, (_, response) => {
      response.writeHead(404).end();
      return true;
    });
  }
  const configFile = await writeConfig(folder, registry);
  const { io, said } = makeIo();
  const args = ["--config", configFile, "--path", "/v1/memories", "--json", "--key", key.secret];
  expect(await explain.run(args, io)).toBe(0);
  expect(JSON.parse(said())).toMatchObject({ key_id: key.record.id });
});

test("check asks nobody, and says where the keys live", async () => {
  await using folder = await makeTempFolder();
  await using registry = await FakeRegistry.start();
  const configFile = await writeConfig(folder, registry);
  const { io, said } = makeIo();
  expect(await check.run(["--config", configFile], io)).toBe(0);
  expect(said()).toContain("ok, 6 routes, keys of a registry");
  expect(registry.asked).toEqual([]);
});

test("check tells of a token file that is not there", async () => {
  await using folder = await makeTempFolder();
  await using registry = await FakeRegistry.start();
  const keys = { registry: { url: registry.url, token_file: "nowhere", tls: { ca_file: "nothing.pem" } } };
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:1",
    config: { keys },
  });
  const { io, said } = makeIo();
  expect(await check.run(["--config", configFile], io)).toBe(78);
  expect(said()).toMatch(/keys\.registry\.token_file: the file/);
  expect(said()).toMatch(/keys\.registry\.tls\.ca_file: the file/);
});
