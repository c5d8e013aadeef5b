/**
 * A real MCP client through the gate to a real MCP server, each as it comes from npm, the gate and
 * the server as processes of their own.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeKey, writeGateFiles, writeKeys } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { type McpServer, startMcpServer } from "../support/mcp-server.ts";
import { type TempFolder, makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const agent = makeKey({ name: "Agent", scopes: ["mcp.use", "mcp.end"] });
const guest = makeKey({ name: "Guest", scopes: ["read"] });

let folder: TempFolder;
let server: McpServer;
let gate: GateProcess;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  folder = stack.use(await makeTempFolder());
  server = stack.use(await startMcpServer());
  const files = await writeGateFiles(folder, {
    upstreamUrl: server.url,
    keys: [agent, guest],
    config: {
      routes: [
        { path: "/mcp", methods: ["GET", "POST"], scopes: ["mcp.use"] },
        { path: "/mcp", methods: ["DELETE"], scopes: ["mcp.end"] },
      ],
    },
  });
  gate = stack.use(await startGateProcess(files.configFile));
});

afterAll(async () => {
  await stack.disposeAsync();
});

interface Session extends AsyncDisposable {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

async function connect(secret: string | undefined): Promise<Session> {
  const client = new Client({ name: "keyward-test", version: "1.0.0" }, { capabilities: { sampling: {} } });
  // What the server asks of a client's model, the client answers.
  client.setRequestHandler(CreateMessageRequestSchema, (request) => ({
    model: "none",
    role: "assistant" as const,
    content: { type: "text" as const, text: `${request.params.messages.length} message answered` },
  }));
  const transport = new StreamableHTTPClientTransport(new URL("/mcp", gate.url), {
    requestInit: { headers: secret === undefined ? {} : { authorization: `Bearer ${secret}` } },
  });
  await client.connect(transport);
  return { client, transport, [Symbol.asyncDispose]: () => client.close() };
}

const textOf = (result: Awaited<ReturnType<Client["callTool"]>>): string => JSON.stringify(result.content);

test("a client initialises, lists tools and calls one, in a session that the server gave it", async () => {
  await using session = await connect(agent.secret);
  expect(session.client.getServerVersion()?.name).toBe("mcp-servers/everything");
  expect(session.transport.sessionId).toMatch(/^[0-9a-f-]{36}$/);
  const { tools } = await session.client.listTools();
  expect(tools.map(({ name }) => name)).toContain("echo");
  const result = await session.client.callTool({ name: "echo", arguments: { message: "tea time" } });
  expect(textOf(result)).toContain("tea time");
});

test("progress of a long call arrives while it runs, not at its end", async () => {
  await using session = await connect(agent.secret);
  const arrivedMs: number[] = [];
  const result = await session.client.callTool(
    { name: "trigger-long-running-operation", arguments: { duration: 1, steps: 5 } },
    undefined,
    { onprogress: () => arrivedMs.push(performance.now()) },
  );
  const endedMs = performance.now();
  expect(textOf(result)).toContain("Steps: 5");
  expect(arrivedMs.length).toBe(5);
  // Steps are 200 ms apart; had the gate held them back they would all arrive with the result.
  expect(endedMs - (arrivedMs[0] ?? endedMs)).toBeGreaterThan(500);
});

test("the server may ask the client in the middle of a call and is answered", async () => {
  await using session = await connect(agent.secret);
  const result = await session.client.callTool({
    name: "trigger-sampling-request",
    arguments: { prompt: "what is tea?" },
  });
  expect(textOf(result)).toContain("1 message answered");
});

test("a session is ended by the client that may", async () => {
  await using session = await connect(agent.secret);
  await session.transport.terminateSession();
  expect(session.transport.sessionId).toBeUndefined();
});

test("a client without a key gets 401, one without the scope gets 403; the server hears of neither", async () => {
  const postsSeen = (): number => server.child.stdout.split("Received MCP POST").length;
  const before = postsSeen();
  await expect(connect(undefined)).rejects.toMatchObject({ code: 401 });
  await expect(connect(makeKey().secret)).rejects.toMatchObject({ code: 401 });
  await expect(connect(guest.secret)).rejects.toMatchObject({ code: 403 });
  expect(postsSeen()).toBe(before);
});

test("a key that is revoked in the middle of a session is refused from then on", async () => {
  const leaver = makeKey({ name: "Leaver", scopes: ["mcp.use"] });
  await writeKeys(folder, [agent, guest, leaver]);
  const session = await waitFor("the new key to be taken", async () => await connect(leaver.secret));
  await using _closed = session;
  await session.client.ping();
  await writeKeys(folder, [agent, guest]);
  const refusal = await waitFor("the refusal", async () => {
    const reason: unknown = await session.client.ping().catch((error: unknown) => error);
    return reason instanceof Error ? reason : undefined;
  });
  expect(refusal).toMatchObject({ code: 401 });
  await using other = await connect(agent.secret);
  await other.client.ping();
});

test("no secret stands in anything that the gate wrote", () => {
  expect(gate.output).not.toContain(agent.secret);
  expect(gate.output).not.toContain(guest.secret);
});
