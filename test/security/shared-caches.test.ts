/**
 * Attack: a shared cache before or behind the gate hands one tenant's answer to another. RFC 9111
 * section 3.5 protects only answers to requests with Authorization: not those whose key stood in
 * X-API-Key, and none behind the gate, which takes the credential out. CACHE-021 and CACHE-022 of
 * the wire set.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { describe, expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { ask } from "../support/http-client.ts";
import { portOf } from "../support/listening.ts";
import { answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestGate } from "../support/test-gate.ts";

const a = makeKey({ organization: { id: "org_a" } });
const b = makeKey({ organization: { id: "org_b" } });
const CACHEABLE = ["Cache-Control: public, max-age=60", "Vary: Accept-Encoding", 'ETag: "1"'];

describe("a cache in front of the gate", () => {
  test.for([{ "x-api-key": a.secret }, { authorization: `Bearer ${a.secret}` }])(
    "CACHE-021 is told that the answer depends on the credential, wherever it stood",
    async (headers) => {
      await using upstream = await startRawUpstream(answerOf(200, "mine", CACHEABLE));
      await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [a] });
      const answer = await ask(`${gate.url}/v1/memories`, { headers });
      const vary = (answer.headers.vary ?? "").toLowerCase().split(/\s*,\s*/);
      expect(vary).toEqual(expect.arrayContaining(["accept-encoding", "authorization", "x-api-key"]));
      expect(answer.headers["cache-control"]).toBe("public, max-age=60");
    },
  );

  test("CACHE-021 never stores a refusal", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "mine", CACHEABLE));
    await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [a] });
    for (const headers of [{}, { "x-api-key": b.secret }]) {
      const answer = await ask(`${gate.url}/v1/memories`, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers["cache-control"]).toBe("no-store");
    }
  });

  test("a public answer does not depend on a credential and stays cacheable", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "ok", CACHEABLE));
    await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [a] });
    expect((await ask(`${gate.url}/health`)).headers.vary).toBe("Accept-Encoding");
  });
});

/** A shared cache as RFC 9111 section 4.1 wants it, between gate and backend. */
async function startCache(stack: AsyncDisposableStack, backendPort: number): Promise<string> {
  const stored: {
    readonly url: string;
    readonly vary: readonly string[];
    readonly of: IncomingMessage;
    readonly body: Buffer;
  }[] = [];
  const server = createServer((incoming, outgoing) => {
    const hit = stored.find(
      ({ url, vary, of }) =>
        url === incoming.url && vary.every((name) => of.headers[name] === incoming.headers[name]),
    );
    if (hit !== undefined) {
      outgoing.writeHead(200, { "x-cache": "hit" }).end(hit.body);
      return;
    }
    const onward = request({ port: backendPort, path: incoming.url, headers: incoming.headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        const body = Buffer.concat(chunks);
        const vary = (answer.headers.vary ?? "")
          .toLowerCase()
          .split(/\s*,\s*/)
          .filter((name) => name !== "");
        stored.push({ url: incoming.url ?? "", vary, of: incoming, body });
        outgoing.writeHead(answer.statusCode ?? 500, { "x-cache": "miss" }).end(body);
      });
    });
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

test("CACHE-022 a cache behind the gate keeps tenants apart by the identity that the gate sends", async () => {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(
    await startRawUpstream({
      onMessage: (message, connection) =>
        connection.send(
          answerOf(200, `of ${message.value("x-org-id")}`, ["Vary: X-Org-Id", "Cache-Control: max-age=60"]),
        ),
    }),
  );
  const cacheUrl = await startCache(stack, backend.port);
  const gate = stack.use(await startTestGate({ upstreamUrl: cacheUrl, keys: [a, b] }));
  const seen: string[] = [];
  for (const { secret } of [a, b, a, b]) {
    // What a client claims to be must not choose the stored answer either.
    const answer = await ask(`${gate.url}/v1/memories`, { key: secret, headers: { "x-org-id": "org_a" } });
    seen.push(`${String(answer.headers["x-cache"])} ${answer.text}`);
  }
  expect(seen).toEqual(["miss of org_a", "miss of org_b", "hit of org_a", "hit of org_b"]);
});
