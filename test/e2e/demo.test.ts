/** `keyward demo` shows the product: what it prints works, and it leaves nothing behind. */
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runChild, startChild } from "../support/child.ts";
import { type DemoProcess, startDemoProcess } from "../support/demo-process.ts";
import { launcher } from "../support/gate-process.ts";
import { portOf } from "../support/listening.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor, within } from "../support/wait-for.ts";

const FREE_PORTS = ["--port=0", "--registry-port=0", "--ops-port=0"] as const;

interface Memory {
  readonly id: string;
  readonly text: string;
}

describe("a running demo", () => {
  let demo: DemoProcess;

  beforeAll(async () => {
    demo = await startDemoProcess();
  });
  afterAll(async () => {
    await demo[Symbol.asyncDispose]();
  });

  function call(key: string | undefined, method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(demo.facts.url + path, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async function add(key: string, text: string): Promise<Memory> {
    const answer = await call(key, "POST", "/v1/memories", { text, user_id: "ada" });
    expect(answer.status).toBe(201);
    return (await answer.json()) as Memory;
  }

  async function list(key: string): Promise<readonly Memory[]> {
    const answer = await call(key, "GET", "/v1/memories");
    return ((await answer.json()) as { memories: readonly Memory[] }).memories;
  }

  test("a memory can be added, found, read and deleted", async () => {
    const { acme } = demo.facts.keys;
    const { id } = await add(acme, "Ada prefers tea");
    const found = await call(acme, "POST", "/v1/memories/search", { query: "tea" });
    expect(await found.json()).toMatchObject({ results: [{ id, text: "Ada prefers tea", score: 1 }] });
    const read = await call(acme, "GET", `/v1/memories/${id}`);
    expect(await read.json()).toMatchObject({ id, text: "Ada prefers tea", user_id: "ada" });
    expect((await call(acme, "DELETE", `/v1/memories/${id}`)).status).toBe(204);
    expect((await call(acme, "GET", `/v1/memories/${id}`)).status).toBe(404);
  });

  test("organizations do not see each other's memories", async () => {
    const { acme, globex } = demo.facts.keys;
    const { id } = await add(acme, "only Acme knows");
    expect((await list(acme)).map((memory) => memory.id)).toContain(id);
    expect(await list(globex)).toEqual([]);
    expect((await call(globex, "GET", `/v1/memories/${id}`)).status).toBe(404);
  });

  test("an identity header of the client's own changes nothing", async () => {
    const { acme, globex } = demo.facts.keys;
    await add(acme, "not for Globex");
    const answer = await fetch(`${demo.facts.url}/v1/memories`, {
      headers: {
        "x-api-key": globex,
        "x-org-id": "org_acme",
        x_org_id: "org_acme",
        "x-project-id": "proj_acme",
      },
    });
    expect(await answer.json()).toEqual({ memories: [] });
  });

  function manage(method: string, path: string, body?: object): Promise<Response> {
    const headers = { authorization: `Bearer ${demo.facts.admin_token}`, "content-type": "application/json" };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    return fetch(demo.facts.registry + path, { method, headers, ...content });
  }

  async function makeKey(fields: object): Promise<{ readonly id: string; readonly secret: string }> {
    const details = { organization: "org_acme", project: "proj_acme", environment: "live", ...fields };
    const made = await manage("POST", "/v1/api-keys", details);
    expect(made.status).toBe(201);
    const key = (await made.json()) as { id: string; secret: string };
    await waitFor("the key", async () => (await call(key.secret, "GET", "/v1/me")).status === 200);
    return key;
  }

  test("a key made in the registry works, and is refused once its revocation was answered", async () => {
    const { id, secret } = await makeKey({ name: "Mine", scopes: ["read"] });
    expect((await call(secret, "GET", "/v1/memories")).status).toBe(200);
    const revoked = await manage("DELETE", `/v1/api-keys/${id}?wait=20s`);
    expect(await revoked.json()).toMatchObject({
      status: "revoked",
      propagation: { complete: true, gates: [{ gate: "demo", applied: true }] },
    });
    expect((await call(secret, "GET", "/v1/memories")).status).toBe(401);
  });

  test("the address of the console is told when the registry serves one", async () => {
    const { status } = await fetch(`${demo.facts.registry}/console`, { redirect: "manual" });
    expect(demo.facts.console).toBe(status < 400 ? `${demo.facts.registry}/console` : undefined);
  });

  test("a read-only key reads, and is refused with 403 when it writes", async () => {
    const { secret: key } = await makeKey({ scopes: ["read"] });
    expect((await call(key, "GET", "/v1/memories")).status).toBe(200);
    const refused = await call(key, "DELETE", "/v1/memories/m_1");
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: "scope_missing" });
  });

  test("without a key there is 401, without a route 403, and health is open", async () => {
    expect((await call(undefined, "GET", "/v1/memories")).status).toBe(401);
    expect((await call(demo.facts.keys.acme, "GET", "/admin")).status).toBe(403);
    expect((await call(undefined, "GET", "/health")).status).toBe(200);
  });

  test("the backend alone refuses to guess who is calling", async () => {
    const answer = await fetch(`${demo.facts.backend}/v1/memories`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain("X-Org-Id and X-Project-Id are missing");
  });

  test("an addition reaches an open stream of its own organization only", async () => {
    const { acme, globex } = demo.facts.keys;
    const abort = new AbortController();
    const stream = await fetch(`${demo.facts.url}/v1/memories/events`, {
      headers: { authorization: `Bearer ${acme}` },
      signal: abort.signal,
    });
    await add(globex, "not heard by Acme");
    const { id } = await add(acme, "heard by Acme");
    const events = within("the event", textUntil(stream, id));
    expect(await events).not.toContain("not heard");
    abort.abort();
  });

  test("what a key used can be scraped", async () => {
    await list(demo.facts.keys.globex);
    const metrics = await (await fetch(`${demo.facts.ops}/metrics`)).text();
    expect(metrics).toMatch(/^keyward_key_requests_total\{.*organization="org_globex".*\} [1-9]/m);
  });

  test("no secret is written to the demo's files", async () => {
    await call(demo.facts.keys.acme, "GET", "/v1/memories");
    const { keys, admin_token, folder } = demo.facts;
    const tokens = ["admin.token", "gate.token"];
    const files = await filesIn(folder);
    expect(files).toEqual(expect.arrayContaining([...tokens, "data/registry.db", "logs/gate.log"]));
    for (const file of files) {
      const text = await readFile(join(folder, file), "latin1");
      for (const secret of Object.values(keys)) expect(text, file).not.toContain(secret);
      if (!tokens.includes(file)) expect(text, file).not.toContain(admin_token);
    }
  });
});

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((it) => it.isFile()).map((it) => relative(folder, join(it.parentPath, it.name)));
}

/** What a stream says until it has said this. */
async function textUntil(answer: Response, wanted: string): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes(`"id":"${wanted}"`)) break;
  }
  return text;
}

describe.for(["SIGINT", "SIGTERM"] as const)("%s", (signal) => {
  test("ends the demo with exit code 0 and removes its folder", async () => {
    await using demo = await startDemoProcess();
    expect(existsSync(join(demo.facts.folder, "data/registry.db"))).toBe(true);
    expect(await demo.child.stop(signal)).toEqual({ code: 0, signal: null });
    expect(existsSync(demo.facts.folder)).toBe(false);
    expect(demo.child.stderr).toBe("");
  });
});

test("a given folder is kept with its keys, and what is secret in it is private", async () => {
  await using folder = await makeTempFolder();
  const options = ["--folder", folder.file("demo")];
  let key = "";
  {
    await using demo = await startDemoProcess(options);
    key = demo.facts.keys.acme;
    for (const file of ["admin.token", "gate.token", "data/registry.db"]) {
      expect((await stat(folder.file(`demo/${file}`))).mode & 0o777, file).toBe(0o600);
    }
    await demo.child.stop();
  }
  await using again = await startDemoProcess(options);
  const answer = await fetch(`${again.facts.url}/v1/memories`, { headers: { "x-api-key": key } });
  expect(answer.status).toBe(200);
});

test("a config that is not the demo's own is not overwritten", async () => {
  await using folder = await makeTempFolder();
  const config = await folder.write("keyward.yaml", "# mine\n");
  const demo = await runChild(process.execPath, [launcher, "demo", ...FREE_PORTS, "--folder", folder.path]);
  expect(demo.code).toBe(1);
  expect(demo.stderr).toBe(`keyward demo: ${config} is not the demo's; give --folder an empty folder\n`);
  expect(await readFile(config, "utf8")).toBe("# mine\n");
});

test.for([
  ["--port", "--registry-port", "--ops-port"],
  ["--registry-port", "--port", "--ops-port"],
  ["--ops-port", "--port", "--registry-port"],
])("a taken %s is said in one line, with the way out", async ([option = "", ...others]) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    const port = String(portOf(other));
    const free = others.flatMap((name) => [name, "0"]);
    const demo = await runChild(process.execPath, [launcher, "demo", option, port, ...free]);
    expect(demo.code).toBe(1);
    expect(demo.stderr.trim()).toBe(
      `keyward demo: port ${port} is taken; choose another with ${option}, or ${option} 0 for any free one`,
    );
  } finally {
    other.close();
  }
});

test("by npm start, a taken port comes with the call that npm passes on", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    const args = [launcher, "demo", "--port=0", "--ops-port=0", `--registry-port=${portOf(other)}`];
    const demo = await runChild(process.execPath, args, { env: { npm_lifecycle_event: "start" } });
    expect(demo.stderr).toMatch(/for any free one: npm start -- --registry-port 0\n$/);
  } finally {
    other.close();
  }
});

test("what it prints for people is plain when it is not a terminal", async () => {
  await using demo = await startChild(process.execPath, [launcher, "demo", ...FREE_PORTS], {
    showsKeys: true,
  });
  const screen = await demo.find("end of the screen", (stdout) =>
    stdout.includes("Ctrl-C") ? stdout : undefined,
  );
  // The escape character begins every colour.
  expect(screen).not.toContain("\x1b");
  expect(screen).toMatch(/^ {2}KEY=mem_live_[0-9A-Za-z]{32}$/m);
  expect(await demo.stop("SIGINT")).toEqual({ code: 0, signal: null });
});
