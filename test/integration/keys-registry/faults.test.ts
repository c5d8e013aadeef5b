/** `keyward keys` when the registry refuses, fails or is not one: one clear line, an exit code, no secret. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAlteringProxy } from "../../support/altering-proxy.ts";
import { type KeysCall, type Ran, runKeys } from "../../support/keys-command.ts";
import { lastingPort, portOf } from "../../support/listening.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { CertificateAuthority } from "../../support/tls.ts";

let registry: RegistryScene;

beforeAll(async () => {
  registry = await startRegistry({ options: { failuresMax: 2 } });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

/** Every run: whatever happens, the token is not repeated and no stack is shown. */
async function keys(
  line: string,
  url: string,
  token = registry.tokens.operator,
  call: KeysCall = {},
): Promise<Ran> {
  const env = { KEYWARD_REGISTRY: url, KEYWARD_REGISTRY_TOKEN: token, ...call.env };
  const ran = await runKeys(line.split(" "), { ...call, env });
  expect(ran.stderr).not.toContain(token);
  expect(ran.stderr).not.toContain("    at ");
  return ran;
}

async function oneLine(ran: Ran, code: number): Promise<string> {
  expect([ran.code, ran.stdout], ran.stderr).toEqual([code, ""]);
  expect(ran.stderr.trimEnd().split("\n")).toHaveLength(1);
  return ran.stderr.trimEnd();
}

interface Listening extends AsyncDisposable {
  readonly url: string;
}

async function serve(answer: RequestListener): Promise<Listening> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("a registry that cannot be reached is named with the reason", async () => {
  const url = `http://127.0.0.1:${await lastingPort()}`;
  const said = await oneLine(await keys("list", url), 1);
  expect(said).toBe(`keyward keys list: cannot reach the registry at ${url} (ECONNREFUSED)`);
});

test("a role that may not is told which may", async () => {
  const said = await oneLine(await keys("revoke key_x", registry.url, registry.tokens.viewer), 1);
  expect(said).toContain("it needs a token of the role operator or admin");
  const gate = await oneLine(await keys("list", registry.url, registry.tokens.gate), 1);
  expect(gate).toContain("it needs a token of the role viewer, operator or admin");
});

test("an unknown key is named", async () => {
  const said = await oneLine(await keys("show key_none", registry.url), 1);
  expect(said).toBe(`keyward keys show: there is no key "key_none" in ${registry.url}`);
});

test("a conflict is told in the registry's words", async () => {
  const { id } = await registry.makeKey();
  await keys(`revoke ${id}`, registry.url);
  const said = await oneLine(await keys(`rotate ${id}`, registry.url), 1);
  expect(said).toBe(`keyward keys rotate: key "${id}": The key is revoked; that is for good.`);
});

test("a field that is refused is named by its option", async () => {
  const said = await oneLine(await keys("create --organization a/b", registry.url), 64);
  expect(said).toMatch(/^keyward keys create: --organization: organization id must be/);
});

test("an unknown token is 401, and too many are told to wait", async () => {
  const unknown = `kwt_admin_${"0".repeat(32)}`;
  const said = await oneLine(await keys("list", registry.url, unknown), 1);
  expect(said).toContain("does not take this token: it is unknown, revoked or expired");
  await keys("list", registry.url, `kwt_admin_${"1".repeat(32)}`);
  const third = await oneLine(await keys("list", registry.url, `kwt_admin_${"2".repeat(32)}`), 1);
  expect(third).toMatch(/too many attempts with unknown tokens; try again in \d+ s$/);
});

test.for<readonly [what: string, answer: RequestListener, says: RegExp]>([
  [
    "a page of a proxy",
    (_, it) => it.writeHead(502).end("<h1>Bad gateway</h1>"),
    /answered 502, and not as a Keyward/,
  ],
  [
    "another server",
    (_, it) => it.writeHead(404).end("nothing"),
    /answered 404, and not as a Keyward registry does/,
  ],
  [
    "a redirect",
    (_, it) => it.writeHead(302, { location: "http://x/" }).end(),
    /302; redirects are not followed/,
  ],
  [
    "text where JSON should be",
    (_, it) => it.writeHead(200).end("hello"),
    /is not one of a Keyward registry/,
  ],
  [
    "JSON of another kind",
    (_, it) => it.writeHead(200).end('{"items":[{}]}'),
    /is not one of a Keyward registry/,
  ],
  [
    "a name that moves the cursor",
    (_, it) => it.writeHead(409).end('{"code":"x","detail":"\\u001b[2Jboo"}'),
    /: \[2Jboo$/,
  ],
])("%s is told from a registry", async ([, answer, says]) => {
  await using server = await serve(answer);
  const said = await oneLine(await keys("list", server.url), 1);
  expect(said).toMatch(says);
  expect(said).not.toContain("\u001b");
});

test("a server that repeats the token in its refusal does not get it shown", async () => {
  await using server = await serve((request, response) => {
    response
      .writeHead(500)
      .end(JSON.stringify({ code: "c", detail: `no: ${request.headers.authorization}` }));
  });
  expect(await oneLine(await keys("list", server.url), 1)).toContain("no: Bearer …");
});

test("a certificate of an authority of one's own needs --ca-file, and is taken with it", async () => {
  await using folder = await makeTempFolder();
  const authority = new CertificateAuthority();
  await folder.write("ca.pem", authority.cert);
  await using front = await startAlteringProxy(registry.url, {});
  const server = createTlsServer(authority.issue("127.0.0.1"), (request, response) => {
    void fetch(front.url + request.url, {
      headers: { authorization: String(request.headers.authorization) },
    }).then(async (answer) => response.writeHead(answer.status).end(await answer.text()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `https://127.0.0.1:${portOf(server)}`;
    const said = await oneLine(await keys("list", url), 1);
    expect(said).toMatch(/is not trusted \([A-Z_]+\); name its authority with --ca-file$/);
    const { tokens } = registry;
    const trusted = await keys("list --ca-file ca.pem", url, tokens.operator, { cwd: folder.path });
    expect(trusted.code, trusted.stderr).toBe(0);
    const plain = await oneLine(await keys("list", registry.url.replace("http:", "https:")), 1);
    expect(plain).toMatch(/does not speak TLS/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

/** Passes requests on, and breaks off the first one, before or after the registry has done it. */
async function breaking(when: "before" | "after"): Promise<Listening & { readonly keys: Set<string> }> {
  const keys = new Set<string>();
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { authorization = "", "idempotency-key": key } = request.headers;
    keys.add(String(key));
    const body = await buffer(request);
    const mustBreak = ++passed === 1;
    if (mustBreak && when === "before") return void response.destroy();
    const headers = { authorization, "content-type": "application/json", "idempotency-key": String(key) };
    const answer = await fetch(registry.url + request.url, { method: "POST", headers, body });
    const text = await answer.text();
    if (mustBreak) response.destroy();
    else response.writeHead(answer.status).end(text);
  };
  let passed = 0;
  const listening = await serve((request, response) => void pass(request, response));
  return { ...listening, keys };
}

const ofOrganization = async (organization: string): Promise<readonly { readonly id: string }[]> =>
  (
    (await registry.call(`GET /v1/api-keys?organization=${organization}`)).json() as {
      items: { id: string }[];
    }
  ).items;

test("a connection that breaks before the registry heard of it: repeated, and there is one key", async () => {
  await using proxy = await breaking("before");
  const ran = await keys("create --organization org_before", proxy.url);
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/^kw_\w{32}\n$/);
  expect(await ofOrganization("org_before")).toHaveLength(1);
  expect(proxy.keys.size).toBe(1);
});

test("an answer that is lost makes no second key, and the call says which one has no known secret", async () => {
  await using proxy = await breaking("after");
  const said = await oneLine(await keys("create --organization org_after", proxy.url), 1);
  const made = await ofOrganization("org_after");
  expect(made).toHaveLength(1);
  expect(said).toContain(`${made[0]?.id} was made by an earlier try`);
  expect(proxy.keys.size).toBe(1);
});

test("the same --idempotency-key in two calls makes one key", async () => {
  const line = "create --organization org_twice --idempotency-key deploy-1";
  expect((await keys(line, registry.url)).code).toBe(0);
  await oneLine(await keys(line, registry.url), 1);
  expect(await ofOrganization("org_twice")).toHaveLength(1);
});

test.for<readonly [args: string, env: Record<string, string>, says: RegExp]>([
  ["list --registry ftp://x", {}, /--registry must be an http:\/\/ or https:\/\/ URL/],
  ["list --registry http://user:pw@x", {}, /without user, password/],
  [
    "list --registry http://x",
    {},
    /a token is needed: KEYWARD_REGISTRY_TOKEN in the environment, or --token-file/,
  ],
  ["list --registry http://x --file keys.yaml", {}, /give --registry or a file, not both/],
  ["list --registry http://x --token a --token-file b", {}, /--token or --token-file, not both/],
  ["list --registry http://x --token-file none", {}, /--token-file none does not exist/],
  ["list --registry http://x", { KEYWARD_REGISTRY_TOKEN: "two words" }, /visible ASCII/],
  ["list --registry http://x --limit 0", {}, /--limit must be/],
  ["create --registry http://x", {}, /--organization is needed/],
  [
    "create --registry http://x --organization o --expires-in-days 0",
    {},
    /--expires-in-days must be a number/,
  ],
  ["create --registry http://x --organization o --checksum", {}, /Unknown option '--checksum'/],
  [
    "create --registry http://x --organization o --idempotency-key ü",
    { KEYWARD_REGISTRY_TOKEN: "t" },
    /--idempotency-key must be/,
  ],
  ["rotate --registry http://x key_1 --finish --overlap 1h", {}, /--finish and --cancel go alone/],
  ["rotate --registry http://x key_1 --overlap soon", {}, /--overlap must be a duration/],
  ["revoke --registry http://x key_1 --wait 11m", {}, /--wait must be at most 10m/],
  ["revoke --registry http://x", {}, /give the id of one key/],
])("keys %s is wrong usage", async ([args, env, says]) => {
  const said = await oneLine(await runKeys(args.split(" "), { env }), 64);
  expect(said).toMatch(says);
});

test("--token works, with a warning that others can see it", async () => {
  const ran = await runKeys(["list", "--registry", registry.url, "--token", registry.tokens.viewer]);
  expect([ran.code, ran.stderr.split("\n")[0]]).toEqual([
    0,
    "Warning: arguments are seen by everybody on this machine; use KEYWARD_REGISTRY_TOKEN or --token-file.",
  ]);
});
