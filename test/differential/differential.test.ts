/**
 * What the gate emits is understood alike by real servers. A request that two of them read in two
 * ways is one that somebody can smuggle something past; so for every request that goes through the
 * gate, each server must have seen the method, the path, the identity and the body that the gate
 * meant, on a connection that carried other callers' requests before.
 */
import { describe, expect, test } from "vitest";
import { Denial } from "../../src/errors/denial.ts";
import { readTarget } from "../../src/gate/target.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { lastingPort } from "../support/listening.ts";
import { connectRaw } from "../support/raw-client.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { requireTool } from "../support/tools.ts";
import { type Probe, drawProbes } from "./requests.ts";
import { type Understanding, servers, startServer } from "./servers.ts";

const COUNT = Number(process.env["KEYWARD_DIFFERENTIAL_REQUESTS"] ?? 320);
const SEED = 20_261_121;

const acme = makeKey({ organization: { id: "org_acme" }, project: { id: "proj_tech" } });
const globex = makeKey({ organization: { id: "org_globex" }, project: { id: "proj_x" } });
const routes = [{ path: "/v1/memories/**", scopes: ["read"] }];

/** The bytes of a probe, as a client with this key sends them. */
function bytesOf(probe: Probe, secret: string): string {
  const lines = [`${probe.method} ${probe.target} HTTP/1.1`, "Host: gate.example", ...probe.headers];
  lines.push(`Authorization: Bearer ${secret}`);
  if (probe.body === undefined) return `${lines.join("\r\n")}\r\n\r\n`;
  if (!probe.isChunked) lines.push(`Content-Length: ${probe.body.length}`);
  else lines.push("Transfer-Encoding: chunked");
  const body = probe.isChunked ? inChunks(probe.body) : probe.body;
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

function inChunks(body: string): string {
  const half = Math.ceil(body.length / 2);
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== "");
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
}

/** What every server must have understood. */
function meant(probe: Probe, host: string, key: typeof acme): Understanding {
  const target = readTarget(probe.target, 8192);
  if (target instanceof Denial) throw new Error(`probe ${probe.target} is refused: ${target.note}`);
  return {
    method: probe.method,
    target: target.path + target.query,
    host,
    organization: key.record.organization.id,
    project: key.record.project?.id ?? null,
    credential: null,
    body: probe.body?.length ?? 0,
  };
}

/** A server may not be able to tell the length of a body; what it tells must be right. */
function comparable(seen: Understanding, wanted: Understanding): Understanding {
  return {
    ...seen,
    credential: seen.credential === "" ? null : seen.credential,
    body: seen.body ?? wanted.body,
  };
}

describe.each(servers)("$name", (server) => {
  const program = requireTool(server.program, `what ${server.name} understands of the gate's requests`);

  test.skipIf(program === undefined)(`reads ${COUNT} requests as the gate meant them`, async () => {
    await using folder = await makeTempFolder();
    const port = await lastingPort();
    await using _server = await startServer(server, program ?? "", folder.path, port);
    const { configFile } = await writeGateFiles(folder, {
      upstreamUrl: "",
      keys: [acme, globex],
      // Few connections, so that each carries many callers' requests.
      config: { routes, upstreams: { default: { url: `http://127.0.0.1:${port}`, connections: 4 } } },
    });
    await using gate = await startGateProcess(configFile);

    const differences: unknown[] = [];
    let understood = 0;
    for (const [i, probe] of drawProbes(COUNT, SEED).entries()) {
      const key = i % 2 === 0 ? acme : globex;
      await using client = await connectRaw(gate.url);
      client.expect(probe.method);
      client.send(bytesOf(probe, key.secret));
      const answer = await client.answer();
      // A server may refuse what it does not like; it may not misread it.
      if (answer.status !== 200 || probe.method === "HEAD") continue;
      const wanted = meant(probe, `127.0.0.1:${port}`, key);
      const seen = comparable(JSON.parse(answer.body.toString()) as Understanding, wanted);
      understood++;
      if (JSON.stringify(seen) !== JSON.stringify(wanted)) differences.push({ probe, seen, wanted });
    }
    expect(differences).toEqual([]);
    expect(understood).toBeGreaterThan(COUNT / 2);
  });
});
