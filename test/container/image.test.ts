/**
 * The image of the Dockerfile, built and run as strictly as a cluster would: what is in it, and that
 * it serves, follows its config and stops. The base image is made of Debian's and npm's packages,
 * because no registry of images is within reach of the tests.
 */
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KeyFixture, makeKey, writeGateFiles } from "../support/fixtures.ts";
import { linesOf } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { assertNoSecretIn } from "../support/known-secrets.ts";
import { answerOf, type RawConnection, startRawUpstream } from "../support/raw-upstream.ts";
import { runChild } from "../support/child.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";
import { canRunContainers, type Container, type Engine, startEngine } from "./engine.ts";

const MEGABYTE = 1_000_000;

interface Serving {
  readonly url: string;
  readonly opsUrl: string;
}

async function addressOf({ child }: Container): Promise<Serving> {
  const line = await child.find(
    "log line that says listening",
    (stdout) => linesOf(stdout).find(({ url }) => url !== undefined),
    60_000,
  );
  return { url: String(line["url"]), opsUrl: String(line["ops"]) };
}

/** For the container's user, who is nobody on this machine. */
async function openToAll(folder: TempFolder): Promise<void> {
  const { code } = await runChild("chmod", ["-R", "a+rX", folder.path]);
  expect(code).toBe(0);
}

describe.skipIf(!canRunContainers())("the image", { timeout: 300_000 }, () => {
  let engine: Engine;
  let image: string;

  beforeAll(async () => {
    engine = await startEngine();
    image = await engine.build();
  }, 300_000);

  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  test("says who it is, runs as nobody, and starts Keyward", async () => {
    const config = await engine.config(image);
    expect(config.User).toBe("65532:65532");
    expect(config.Entrypoint).toEqual(["keyward"]);
    expect(config.Cmd).toEqual(["serve", "--config", "/etc/keyward/keyward.yaml"]);
    expect(config.Healthcheck.Test).toEqual([
      "CMD",
      "keyward",
      "healthcheck",
      "--config",
      "/etc/keyward/keyward.yaml",
    ]);
    expect(Object.keys(config.ExposedPorts)).toEqual(["8080/tcp", "8090/tcp", "9090/tcp", "9091/tcp"]);
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.title": "keyward",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": (
        JSON.parse(readFileSync("package.json", "utf8")) as { version: string }
      ).version,
    });
  });

  test("holds its code compiled: for its own user, who cannot change it, and as that user's Node takes it", async () => {
    const files = await engine.files(image);
    const { stdout: writable } = await runChild("find", [
      join(files, "app"),
      "-perm",
      "/022",
      "-not",
      "-type",
      "l",
    ]);
    expect(writable).toBe("");
    const inside = [
      "--userspec=65532:65532",
      files,
      "/usr/local/bin/keyward",
      "check",
      "--config",
      "/none.yaml",
    ];
    const env = { NODE_COMPILE_CACHE: "/app/compiled", NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
    const { stdout, stderr } = await runChild("/usr/sbin/chroot", inside, { env });
    const count = (what: string): number => `${stdout}${stderr}`.split(what).length - 1;
    expect(count("was rejected")).toBe(0);
    expect(count("was accepted")).toBeGreaterThan(100);
  });

  test("holds Node, Keyward and what they load: no shell, no package manager, at most 150 MB", async () => {
    const files = await engine.files(image);
    const { stdout } = await runChild("du", ["--summarize", "--bytes", files]);
    const bytes = Number.parseInt(stdout, 10);
    expect(bytes).toBeLessThan(150 * MEGABYTE);
    expect(bytes).toBeGreaterThan(100 * MEGABYTE);
    expect(await readdir(join(files, "usr/local/bin"))).toEqual(["keyward", "node"]);
    for (const absent of [
      "bin",
      "usr/bin",
      "usr/local/lib",
      "app/test",
      "app/bench",
      "app/node_modules/vitest",
    ])
      expect([absent, existsSync(join(files, absent))]).toEqual([absent, false]);
    // What is in it, for scanners: npm's packages and Debian's.
    const sbom = JSON.parse(readFileSync(join(files, "app/sbom.cdx.json"), "utf8")) as {
      readonly bomFormat: string;
      readonly components: readonly { readonly name: string }[];
    };
    expect(sbom.bomFormat).toBe("CycloneDX");
    const installed = (await readdir(join(files, "app/node_modules"))).filter((name) => /^[a-z]/.test(name));
    expect(new Set(sbom.components.map(({ name }) => name)).isSupersetOf(new Set(installed))).toBe(true);
    expect(await readdir(join(files, "var/lib/dpkg/status.d"))).toContain("libc6");
  });

  test("serves from one mounted folder, tells its health, and stops on SIGTERM without losing a request", async () => {
    await using folder = await makeTempFolder();
    const held: RawConnection[] = [];
    await using upstream = await startRawUpstream({ onMessage: (_message, from) => held.push(from) });
    const key = makeKey();
    await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    await openToAll(folder);
    await using container = await engine.run(image, { volumes: { [folder.path]: "/etc/keyward:ro" } });
    const { url, opsUrl } = await addressOf(container);
    expect((await ask(`${url}/v1/memories`)).status).toBe(401);
    expect(await container.exec("keyward", "healthcheck", "--url", `${opsUrl}/readyz`)).toEqual({
      code: 0,
      output: "ready\n",
    });
    const process = await container.exec("node", "-p", "process.getuid() + ' ' + process.getgid()");
    expect(process.output).toBe("65532 65532\n");
    const write = await container.exec("node", "-e", "require('fs').writeFileSync('/app/x', '')");
    expect(write.output).toContain("EROFS");

    const slow = ask(`${url}/v1/memories`, { key: key.secret });
    await waitFor("the request at the upstream", () => held.length === 1);
    expect(upstream.messages[0]?.value("x-org-id")).toBe("org_acme");
    container.child.kill("SIGTERM");
    await waitFor("the gate to stop", () => container.child.stdout.includes('"msg":"stopping"'));
    held[0]?.send(answerOf(200, "worth waiting for"));
    expect((await slow).text).toBe("worth waiting for");
    expect(await container.child.ended(30_000)).toEqual({ code: 0, signal: null });
    expect(container.child.stdout).toContain('"msg":"stopped"');
    assertNoSecretIn(container.child.stdout + container.child.stderr, "the log of the container");
  });

  test("drains as a sidecar does: by the hook of charts and component, run inside while requests are under way", async () => {
    await using folder = await makeTempFolder();
    const held: RawConnection[] = [];
    await using upstream = await startRawUpstream({ onMessage: (_message, from) => held.push(from) });
    const key = makeKey();
    await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    await openToAll(folder);
    await using container = await engine.run(image, { volumes: { [folder.path]: "/etc/keyward:ro" } });
    const { url } = await addressOf(container);
    const slow = ask(`${url}/v1/memories`, { key: key.secret });
    await waitFor("the request at the upstream", () => held.length === 1);
    const component = readFileSync("helm/kustomize/sidecar/sidecar.yaml", "utf8");
    const [, program = "", option = "", script = ""] =
      /command: \[(\w+), (-\w), "(.+)"\]/.exec(component) ?? [];
    const hook = container.exec(program, option, script);
    await waitFor("the gate to stop", () => container.child.stdout.includes('"msg":"stopping"'));
    held[0]?.send(answerOf(200, "worth waiting for"));
    expect((await slow).text).toBe("worth waiting for");
    expect(await container.child.ended(30_000)).toEqual({ code: 0, signal: null });
    // It lasted as long as its container, which took it along.
    expect((await hook).code).not.toBe(0);
  });

  test("follows config and keys that Kubernetes swaps under it, twice in a row", async () => {
    await using folder = await makeTempFolder();
    await using upstream = await startRawUpstream(answerOf(200, "ok"));
    const keys = [makeKey(), makeKey(), makeKey()];
    const mount = await mountLikeKubernetes(folder, upstream.url, keys);
    await mount.show(0);
    await using container = await engine.run(image, { volumes: { [mount.path]: "/etc/keyward:ro" } });
    const { url } = await addressOf(container);
    const statusOf = async (key: KeyFixture | undefined): Promise<number> =>
      (await ask(`${url}/v1/memories`, { key: key?.secret ?? "" })).status;
    expect(await statusOf(keys[0])).toBe(200);
    for (const version of [1, 2]) {
      await mount.show(version);
      await waitFor(`key ${version} to count`, async () => (await statusOf(keys[version])) === 200);
      expect(await statusOf(keys[version - 1])).toBe(401);
    }
  });

  test("runs the registry on a volume, with everything else read-only", async () => {
    await using folder = await makeTempFolder();
    await mkdir(folder.file("data"));
    await chmod(folder.file("data"), 0o777);
    await folder.write(
      "etc/registry.yaml",
      "listen: { host: 127.0.0.1, port: 0 }\nops: { host: 127.0.0.1, port: 0 }\nstorage: /data/registry.db\n",
    );
    await openToAll(folder);
    const volumes = { [folder.file("etc")]: "/etc/keyward:ro", [folder.file("data")]: "/data" };
    const config = ["--config", "/etc/keyward/registry.yaml"];
    await using init = await engine.run(image, { volumes, args: ["registry", "init", ...config] });
    expect(await init.child.ended(60_000)).toEqual({ code: 0, signal: null });
    await using container = await engine.run(image, { volumes, args: ["registry", ...config] });
    const { url, opsUrl } = await addressOf(container);
    expect((await ask(`${url}/openapi.json`)).status).toBe(200);
    // Built into the image: nothing that could build it is there.
    expect((await ask(`${url}/console/`)).text).toContain("<script");
    expect((await ask(`${url}/v1/api-keys`)).status).toBe(401);
    expect((await ask(`${opsUrl}/readyz`)).status).toBe(200);
    expect((await container.stop(30_000)).code).toBe(0);
  });
});

/** A folder as kubelet keeps one: files are links through `..data`, a link that is replaced in one step. */
async function mountLikeKubernetes(
  folder: TempFolder,
  upstreamUrl: string,
  keys: readonly KeyFixture[],
): Promise<{ readonly path: string; show(version: number): Promise<void> }> {
  const path = folder.file("mount");
  const show = async (version: number): Promise<void> => {
    const key = keys[version];
    const at = (name: string): string => join("mount", `..${version}`, name);
    const write: TempFolder["write"] = (name, content) => folder.write(at(name), content);
    await writeGateFiles({ ...folder, write }, { upstreamUrl, keys: key === undefined ? [] : [key] });
    await openToAll(folder);
    await symlink(`..${version}`, join(path, "..data_tmp"));
    await rename(join(path, "..data_tmp"), join(path, "..data"));
    for (const name of ["keyward.yaml", "keys.yaml"]) {
      if (!existsSync(join(path, name))) await symlink(join("..data", name), join(path, name));
    }
  };
  await mkdir(path);
  return { path, show };
}
