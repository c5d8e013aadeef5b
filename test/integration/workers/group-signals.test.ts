/** Signals that come to all processes of a gate at once, as systemd and terminals send them. */
import { once } from "node:events";
import { type ServerResponse, createServer } from "node:http";
import { expect, test } from "vitest";
import { startChild } from "../../support/child.ts";
import { launcher, linesOf } from "../../support/gate-process.ts";
import { portOf } from "../../support/listening.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";

test("a SIGHUP to the whole group ends no worker that waits for its first keys", async () => {
  await using folder = await makeTempFolder();
  const held: ServerResponse[] = [];
  const registry = createServer((_request, response) => held.push(response)).listen(0, "127.0.0.1");
  await once(registry, "listening");
  const configFile = await folder.write(
    "keyward.yaml",
    JSON.stringify({
      workers: 2,
      listen: { host: "127.0.0.1", port: 0 },
      ops: { host: "127.0.0.1", port: 0 },
      upstreams: { default: { url: "http://127.0.0.1:9" } },
      keys: { registry: { url: `http://127.0.0.1:${portOf(registry)}` } },
      routes: [{ path: "/**" }],
    }),
  );
  const command = [launcher, "serve", "--config", configFile];
  await using gate = await startChild(process.execPath, command, { isGroup: true });
  try {
    await waitFor("both workers to ask for their keys", () => held.length >= 2);
    gate.kill("SIGHUP");
    for (const response of held.splice(0)) response.writeHead(503).end();
    const saysListening = (output: string): true | undefined =>
      linesOf(output).some(({ msg }) => msg === "listening") ? true : undefined;
    await gate.find("the gate to listen", saysListening);
    expect(linesOf(gate.stdout).map(({ msg }) => msg)).not.toContain("worker died");
  } finally {
    registry.close();
    registry.closeAllConnections();
  }
});
