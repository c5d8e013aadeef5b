import { once } from "node:events";
import { Agent, type IncomingMessage, get, request } from "node:http";
import { type Socket, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import type { MetricsPage } from "../../../src/observe/metrics-page.ts";
import type { ReadinessCheck } from "../../../src/observe/ops-server.ts";
import { observe } from "../../support/exchanges.ts";
import { startOpsScene } from "../../support/ops-scene.ts";
import { waitFor, within } from "../../support/wait-for.ts";

async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

describe("liveness and version", () => {
  test("/livez answers ok, whatever readiness says", async () => {
    await using scene = await startOpsScene({ readiness: () => [{ name: "keys", ok: false }] });
    const response = await fetch(`${scene.url}/livez`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("/version names program, version and Node", async () => {
    await using scene = await startOpsScene();
    const response = await fetch(`${scene.url}/version`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ name: "keyward", version: "1.2.3", node: process.versions.node });
  });
});

describe("readiness", () => {
  test("is 200 when every check holds and 503 when one does not, as it is now", async () => {
    let isDraining = false;
    const readiness = (): ReadinessCheck[] => [
      { name: "listening", ok: true },
      { name: "not_draining", ok: !isDraining },
    ];
    await using scene = await startOpsScene({ readiness });
    const ready = await fetch(`${scene.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      status: "ready",
      checks: [
        { name: "listening", ok: true },
        { name: "not_draining", ok: true },
      ],
    });
    isDraining = true;
    const draining = await fetch(`${scene.url}/readyz`);
    expect(draining.status).toBe(503);
    expect(await draining.json()).toMatchObject({
      status: "not_ready",
      checks: [{ ok: true }, { ok: false }],
    });
  });

  test("details are told only when asked for", async () => {
    await using scene = await startOpsScene({
      readiness: () => [{ name: "keys", ok: true, detail: "12 keys" }],
    });
    expect(await (await fetch(`${scene.url}/readyz`)).text()).not.toContain("12 keys");
    const verbose = await fetch(`${scene.url}/readyz?verbose`);
    expect(await verbose.json()).toEqual({
      status: "ready",
      checks: [{ name: "keys", ok: true, detail: "12 keys" }],
    });
  });

  test("a check that throws is not ready; the reason goes to the log alone", async () => {
    await using scene = await startOpsScene({
      readiness: () => {
        throw new Error("inner state");
      },
    });
    const response = await fetch(`${scene.url}/readyz`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("inner state");
    expect(scene.errors).toEqual(["operations endpoint failed: Error: inner state"]);
  });
});

describe("metrics", () => {
  test("are given as Prometheus text", async () => {
    await using scene = await startOpsScene();
    observe(scene.metrics);
    const response = await fetch(`${scene.url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const body = await response.text();
    expect(body).toContain('keyward_requests_total{route="memories",method="GET",code="200"} 1\n');
    expect(body).toContain("process_cpu_seconds_total");
    expect(body.endsWith("\n")).toBe(true);
  });

  test("that fail half way cut the answer, so that a scrape fails instead of missing series", async () => {
    const page: MetricsPage = {
      contentType: "text/plain",
      async *chunks() {
        yield "half 1\n";
        await Promise.reject(new Error("broken"));
      },
    };
    await using scene = await startOpsScene({ page });
    const scrape = fetch(`${scene.url}/metrics`).then((response) => response.text());
    await expect(scrape).rejects.toThrow(/terminated|fetch failed/);
    expect(scene.errors).toEqual(["operations endpoint failed: Error: broken"]);
  });

  test("that nobody reads stop being written, and the server goes on", async () => {
    let written = 0;
    let isEnded = false;
    const page: MetricsPage = {
      contentType: "text/plain",
      async *chunks() {
        try {
          for (; written < 1000; written++) yield "x".repeat(1 << 20);
        } finally {
          isEnded = true;
        }
      },
    };
    await using scene = await startOpsScene({ page });
    const socket = await openSocket(scene.port);
    socket.pause();
    socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    await waitFor("the first chunk", () => written > 0);
    expect((await fetch(`${scene.url}/livez`)).status).toBe(200);
    expect(written).toBeLessThan(100);
    socket.destroy();
    await waitFor("the page to be given up", () => isEnded);
  });
});

describe("what is asked", () => {
  test.for(["/livez", "/readyz", "/metrics", "/version"])(
    "HEAD %s has the head of GET and no body",
    async (path) => {
      await using scene = await startOpsScene();
      const [head, got] = await Promise.all([
        fetch(`${scene.url}${path}`, { method: "HEAD" }),
        fetch(`${scene.url}${path}`),
      ]);
      expect(head.status).toBe(got.status);
      expect(head.headers.get("content-type")).toBe(got.headers.get("content-type"));
      expect(await head.text()).toBe("");
      await got.text();
    },
  );

  test.for(["POST", "PUT", "DELETE", "OPTIONS"])("%s is refused with Allow", async (method) => {
    await using scene = await startOpsScene();
    const response = await fetch(`${scene.url}/metrics`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
  });

  test.for(["/", "/metrics/", "/livez/x", "/..%2fmetrics", "/debug", "/readyzz"])(
    "%s is not found",
    async (path) => {
      await using scene = await startOpsScene();
      expect((await fetch(`${scene.url}${path}`)).status).toBe(404);
    },
  );

  test("a body is not read: the answer comes and the connection ends", async () => {
    await using scene = await startOpsScene();
    const sent = request(`${scene.url}/metrics`, { method: "POST", headers: { "content-length": 1e9 } });
    sent.on("error", () => {});
    sent.write("x");
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(405);
    expect(response.headers.connection).toBe("close");
    await text(response);
    sent.destroy();
  });

  test("a head larger than 8 KiB is refused", async () => {
    await using scene = await startOpsScene();
    const response = await fetch(`${scene.url}/livez`, { headers: { "x-large": "x".repeat(10_000) } });
    expect(response.status).toBe(431);
  });
});

describe("connections", () => {
  test("beyond the bound are refused, and health answers again when there is room", async () => {
    await using scene = await startOpsScene();
    const sockets = await Promise.all(Array.from({ length: 256 }, () => openSocket(scene.port)));
    await expect(fetch(`${scene.url}/livez`)).rejects.toThrow("fetch failed");
    for (const socket of sockets) socket.destroy();
    const status = await waitFor("room", async () => (await fetch(`${scene.url}/livez`)).status);
    expect(status).toBe(200);
  });

  test("that never finish their head are closed by the server", { timeout: 20_000 }, async () => {
    await using scene = await startOpsScene();
    const socket = await openSocket(scene.port);
    socket.resume();
    socket.write("GET /livez HTTP/1.1\r\nHost: x\r\n");
    await within("the server to close", once(socket, "close"), 10_000);
    expect(socket.closed).toBe(true);
  });
});

describe("closing", () => {
  test("ends idle kept-alive connections at once", async () => {
    const scene = await startOpsScene();
    const agent = new Agent({ keepAlive: true });
    const [response] = (await once(get(`${scene.url}/livez`, { agent }), "response")) as [IncomingMessage];
    await text(response);
    await within("close", scene.server.close(), 500);
    await expect(fetch(`${scene.url}/livez`)).rejects.toThrow("fetch failed");
    agent.destroy();
  });

  test("does not wait long for an answer under way, and may be called twice", async () => {
    const page: MetricsPage = {
      contentType: "text/plain",
      async *chunks() {
        yield "first 1\n";
        await new Promise(() => {});
      },
    };
    const scene = await startOpsScene({ page });
    const socket = await openSocket(scene.port);
    socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    await within("close", Promise.all([scene.server.close(), scene.server.close()]), 5000);
    await waitFor("the cut", () => socket.closed);
    expect(socket.closed).toBe(true);
  });

  test("a port that is taken is an error of listen()", async () => {
    await using scene = await startOpsScene();
    await expect(startOpsScene({ port: scene.port })).rejects.toThrow("EADDRINUSE");
  });
});
