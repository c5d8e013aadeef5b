/** The README's nginx in front of the gate: addresses, event streams and uploads arrive as they should. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startChild } from "../support/child.ts";
import { type Echo, startEchoUpstream } from "../support/echo-upstream.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { ask, open } from "../support/http-client.ts";
import { lastingPort } from "../support/listening.ts";
import { projectRoot } from "../support/source-files.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { requireTool } from "../support/tools.ts";
import { waitFor } from "../support/wait-for.ts";

const nginx = requireTool("nginx", "test/e2e/behind-nginx (the README's nginx in front)");

async function writeNginxConfig(folder: TempFolder, port: number, gateUrl: string): Promise<string> {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const [, location = ""] = /```nginx\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(location).toContain("http://127.0.0.1:8080;");
  const at = folder.path;
  return await folder.write(
    "nginx.conf",
    `daemon off; master_process off; error_log stderr; pid ${at}/pid;
events {}
http {
  access_log off; client_body_temp_path ${at}/body; proxy_temp_path ${at}/p;
  fastcgi_temp_path ${at}/f; uwsgi_temp_path ${at}/u; scgi_temp_path ${at}/s;
  server { listen 127.0.0.1:${port}; ${location.replace("http://127.0.0.1:8080", gateUrl)} }
}`,
  );
}

describe.skipIf(nginx === undefined)("behind nginx as the README has it", () => {
  test("the client's address, host and key arrive, and events are not held back", async () => {
    await using upstream = await startEchoUpstream();
    await using folder = await makeTempFolder();
    const key = makeKey();
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: upstream.url,
      keys: [key],
      config: {
        trusted_proxies: ["127.0.0.1"],
        routes: [{ methods: ["GET", "POST"], path: "/**", scopes: ["read"] }],
      },
    });
    await using gate = await startGateProcess(configFile);
    const port = await lastingPort();
    const config = await writeNginxConfig(folder, port, gate.url);
    await using server = await startChild(nginx ?? "", ["-p", folder.path, "-c", config]);
    const url = `http://127.0.0.1:${port}`;
    await waitFor("nginx to listen", async () => {
      if (server.exit !== undefined) throw new Error(server.stderr);
      return (await ask(`${url}/v1/memories`)).status === 401;
    });

    const answer = await ask(`${url}/v1/memories`, { key: key.secret, headers: { host: "memory.example" } });
    const seen = answer.json() as Echo;
    const values = (name: string): string[] =>
      seen.rawHeaders.filter((_, i) => i % 2 === 1 && seen.rawHeaders[i - 1]?.toLowerCase() === name);
    expect(values("x-org-id")).toEqual(["org_acme"]);
    expect(values("x-forwarded-host")).toEqual(["memory.example"]);
    expect(values("x-forwarded-for").join()).toContain("127.0.0.1");
    expect(values("authorization")).toEqual([]);

    const posted = await ask(`${url}/v1/memories`, {
      method: "POST",
      key: key.secret,
      body: Buffer.alloc(3_000_000),
    });
    expect(posted.json()).toMatchObject({ bodyBytes: 3_000_000 });

    // The next event would come in an hour: what arrives before it was not waited for.
    const stream = await open(`${url}/sse?count=2&every=3600000`, { key: key.secret });
    const first: unknown = await stream.stream[Symbol.asyncIterator]().next();
    expect(String((first as { value: Buffer }).value)).toContain('"n":0');
    stream.leave();
  });
});
