/** Upstreams behind TLS: the certificate is always checked, and by the upstream's name, never the client's Host. */
import { once } from "node:events";
import { type Socket, createServer } from "node:net";
import type { TlsOptions } from "node:tls";
import { expect, test } from "vitest";
import { type EchoUpstream, startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeKey } from "../../support/fixtures.ts";
import { type Answer, type Asked, ask } from "../../support/http-client.ts";
import { portOf } from "../../support/listening.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { type Certificate, CertificateAuthority } from "../../support/tls.ts";

const authority = new CertificateAuthority();

interface Setting {
  /** What the upstream shows; good for localhost and 127.0.0.1 unless told otherwise. */
  readonly server?: Certificate;
  readonly serverOptions?: TlsOptions;
  /** PEM files that the gate is given, by option. */
  readonly files?: Readonly<Record<string, string>>;
  readonly serverName?: string;
  readonly host?: "client" | "upstream";
  /** Host in the upstream's URL. */
  readonly name?: string;
}

async function askThrough(
  setting: Setting,
  requests: readonly Asked[] = [{}],
): Promise<{ readonly answers: readonly Answer[]; readonly upstream: EchoUpstream }> {
  const server = setting.server ?? authority.issue("localhost", "127.0.0.1");
  await using upstream = await startEchoUpstream({ tls: { ...server, ...setting.serverOptions } });
  await using folder = await makeTempFolder();
  const tls: Record<string, string> = {};
  for (const [option, pem] of Object.entries(setting.files ?? { ca_file: authority.cert })) {
    tls[option] = await folder.write(`${option}.pem`, pem);
  }
  if (setting.serverName !== undefined) tls["server_name"] = setting.serverName;
  const key = makeKey();
  const url = `https://${setting.name ?? "localhost"}:${upstream.port}`;
  await using gate = await startTestGate({
    upstreamUrl: url,
    keys: [key],
    config: { upstreams: { default: { url, tls, host: setting.host ?? "upstream" } } },
  });
  const answers: Answer[] = [];
  for (const asked of requests) {
    answers.push(await ask(`${gate.url}/v1/memories`, { key: key.secret, ...asked }));
  }
  return { answers, upstream };
}

async function statusThrough(setting: Setting, asked: Asked = {}): Promise<number | undefined> {
  return (await askThrough(setting, [asked])).answers[0]?.status;
}

test("an upstream whose certificate the given authority signed is believed", async () => {
  expect(await statusThrough({})).toBe(200);
});

test("an upstream is found by address when its certificate has that address", async () => {
  expect(await statusThrough({ name: "127.0.0.1" })).toBe(200);
  expect(await statusThrough({ name: "127.0.0.1", server: authority.issue("localhost") })).toBe(502);
});

test("another authority's certificate is refused with 502 and nothing is sent", async () => {
  const other = new CertificateAuthority("Somebody else");
  const { answers, upstream } = await askThrough({ files: { ca_file: other.cert } });
  expect(answers[0]?.status).toBe(502);
  expect(upstream.seen).toEqual([]);
});

test("without a configured authority a self-made one is not believed", async () => {
  expect(await statusThrough({ files: {} })).toBe(502);
});

test("a certificate for another name is refused; server_name says which name is meant", async () => {
  const server = authority.issue("backend.internal");
  expect(await statusThrough({ server })).toBe(502);
  expect(await statusThrough({ server, serverName: "backend.internal" })).toBe(200);
  expect(await statusThrough({ server, serverName: "other.internal" })).toBe(502);
});

test("the client's Host chooses neither the name that is checked nor a connection of its own", async () => {
  const hosts = ["one.example", "two.example", "one.example"];
  const { answers, upstream } = await askThrough(
    { host: "client" },
    hosts.map((host) => ({ headers: { host } })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(upstream.connections).toBe(1);
});

test("a client certificate that the upstream asks for is shown", async () => {
  const clients = new CertificateAuthority("Client authority");
  const serverOptions = { requestCert: true, rejectUnauthorized: true, ca: clients.cert };
  const gate = clients.issue("gate");
  const files = { ca_file: authority.cert, cert_file: gate.cert, key_file: gate.key };
  expect(await statusThrough({ serverOptions, files })).toBe(200);
  expect(await statusThrough({ serverOptions })).toBe(502);
  const stranger = new CertificateAuthority("Stranger").issue("gate");
  const wrong = { ca_file: authority.cert, cert_file: stranger.cert, key_file: stranger.key };
  expect(await statusThrough({ serverOptions, files: wrong })).toBe(502);
});

test("the time to connect includes the handshake, and is not a second longer than it says", async () => {
  const sockets = new Set<Socket>();
  const mute = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
  await once(mute.listen(0, "127.0.0.1"), "listening");
  const url = `https://127.0.0.1:${portOf(mute)}`;
  const upstreams = { default: { url, timeouts: { connect: "50ms" } } };
  const key = makeKey();
  await using gate = await startTestGate({ upstreamUrl: url, keys: [key], config: { upstreams } });
  const durationsMs: number[] = [];
  // A busy machine may be late once; a timer that is too coarse always is.
  for (let attempt = 0; attempt < 5 && Math.min(...durationsMs) > 450; attempt++) {
    const startedMs = performance.now();
    expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(504);
    durationsMs.push(performance.now() - startedMs);
  }
  for (const socket of sockets) socket.destroy();
  mute.close();
  expect(Math.min(...durationsMs)).toBeLessThan(450);
});
