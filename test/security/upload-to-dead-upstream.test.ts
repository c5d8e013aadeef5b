/**
 * Attack: an upload while the upstream cannot be reached. The body was given up with an error that
 * nobody listened for yet, and that ended the process: one request, no gate.
 */
import { expect, test } from "vitest";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

test.for([["with a length", "12 bytes ..."] as const, ["in chunks", undefined] as const])(
  "an upload %s to an upstream that refuses connections is 502, and the gate lives on",
  async ([, body]) => {
    const key = makeKey();
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: `unix:${folder.file("nobody.sock")}`,
      keys: [key],
    });
    await using gate = await startGateProcess(configFile);
    for (let i = 0; i < 3; i++) {
      const answer = await ask(`${gate.url}/v1/memories`, {
        method: "POST",
        key: key.secret,
        body: body ?? "in chunks",
        headers: body === undefined ? { "transfer-encoding": "chunked" } : {},
      });
      expect(answer.status).toBe(502);
    }
    expect(gate.child.exit).toBeUndefined();
    expect(gate.child.stderr).toBe("");
  },
);
