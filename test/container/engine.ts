/**
 * buildah and podman, from Debian, with a storage of their own that is gone afterwards. What they
 * need of a machine without a container service is worked out here; knows nothing of Keyward.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Child, type ChildExit, runChild, startChild } from "../support/child.ts";
import { projectRoot } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { leaveOut, requireTool } from "../support/tools.ts";

const BASE = "docker.io/library/node:26.10.0-trixie-slim";
const rootArchive = join(projectRoot, ".cache/tools/container/base/rootfs.tar");

/** Some programs are found under /usr/sbin, which is on root's PATH only. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** True when this machine can build and run the image; else it is named among what was left out. */
export function canRunContainers(): boolean {
  const neededBy = "test/container (the image built and run)";
  const from = ".ci/install-tools container, as root";
  const tools = ["buildah", "podman", "crun"].map((name) => requireTool(name, neededBy, from));
  if (tools.includes(undefined)) return false;
  if (process.getuid?.() === 0 && existsSync(rootArchive)) return true;
  leaveOut("its base image", neededBy, from);
  return false;
}

export interface RunOptions {
  /** Host folder → folder in the container. A name that ends with `:ro` is mounted read-only. */
  readonly volumes?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

export interface Container extends AsyncDisposable {
  /** `podman run` in the foreground: it passes signals on and ends as the container does. */
  readonly child: Child;
  /** Runs a program inside. */
  exec(...command: string[]): Promise<{ readonly code: number | null; readonly output: string }>;
  stop(deadlineMs?: number): Promise<ChildExit>;
}

export interface Engine extends AsyncDisposable {
  /** Builds the project's Dockerfile; resolves with the name of the image. */
  build(): Promise<string>;
  /** What `buildah inspect` says of the image's config. */
  config(image: string): Promise<ImageConfig>;
  /** Absolute path of the image's files, read-only by agreement. */
  files(image: string): Promise<string>;
  /** As strict as a cluster is: no capability, no new privileges, a read-only root; the host's network. */
  run(image: string, options: RunOptions): Promise<Container>;
}

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export async function startEngine(): Promise<Engine> {
  const folder = await makeTempFolder();
  const limits = '[containers]\ndefault_ulimits=["nofile=4096:4096","nproc=4096:4096"]\n';
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
  const env = {
    PATH,
    CONTAINERS_CONF: await folder.write("containers.conf", limits),
    BUILDAH_ISOLATION: "chroot",
  };
  // As a file, since a machine where the package was only unpacked has none.
  const policyFile = await folder.write("policy.json", policy);
  const storage = [
    "--root",
    folder.file("storage"),
    "--runroot",
    folder.file("run"),
    "--storage-driver",
    "vfs",
  ];
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runChild(program, args, { env, deadlineMs: 300_000 });
    if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${code}\n${stdout}\n${stderr}`);
    return stdout.trim();
  };
  const build = async (args: readonly string[]): Promise<void> => {
    await run("buildah", ...storage, "bud", "--pull=never", "--signature-policy", policyFile, ...args);
  };
  const mounted: string[] = [];
  const from = async (image: string): Promise<string> => {
    const container = await run("buildah", ...storage, "from", "--pull=never", image);
    mounted.push(container);
    return container;
  };
  let started = 0;
  return {
    async build() {
      await folder.write(
        "base/Dockerfile",
        "FROM scratch\nADD rootfs.tar /\nENV NODE_EXTRA_CA_CERTS=/usr/local/share/builder-ca.crt\n",
      );
      await run("ln", rootArchive, folder.file("base/rootfs.tar")).catch(() =>
        run("cp", rootArchive, folder.file("base/rootfs.tar")),
      );
      await build(["-t", BASE, folder.file("base")]);
      // The format that knows of health checks.
      await build(["--format", "docker", "-t", "localhost/keyward:test", projectRoot]);
      return "localhost/keyward:test";
    },
    async config(image) {
      const text = await run("buildah", ...storage, "inspect", "--type", "image", image);
      return (JSON.parse(text) as { Docker: { config: ImageConfig } }).Docker.config;
    },
    async files(image) {
      return await run("buildah", ...storage, "mount", await from(image));
    },
    async run(image, { volumes = {}, args = [] }) {
      const name = `keyward-test-${process.pid}-${++started}`;
      const mounts = Object.entries(volumes).flatMap(([host, inside]) => ["-v", `${host}:${inside}`]);
      const podman = ["podman", "--cgroup-manager=cgroupfs", ...storage];
      const strict = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];
      const here = ["--rm", "--name", name, "--pull=never", "--network=host", "--cgroups=disabled"];
      const command = [...podman, "run", ...here, ...strict, ...mounts, image, ...args];
      const child = await startChild("unshare", ["-m", "sh", "-c", PRIVATE_CGROUPS, "sh", ...command], {
        env,
      });
      return {
        child,
        async exec(...inside) {
          const enter = ["--mount", `--target=${child.pid}`, "--", ...podman, "exec", name, ...inside];
          const { code, stdout, stderr } = await runChild("nsenter", enter, { env, deadlineMs: 60_000 });
          return { code, output: stdout + stderr };
        },
        stop: (deadlineMs) => child.stop("SIGTERM", deadlineMs),
        async [Symbol.asyncDispose]() {
          // Killed, podman would leave the container behind.
          await child.stop("SIGTERM", 30_000).catch(() => undefined);
          await run("podman", ...podman.slice(1), "rm", "--force", "--ignore", name);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const container of mounted) await run("buildah", ...storage, "rm", container);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** crun knows cgroups v2 only; a mount namespace of its own has them, whatever the machine's has. */
const PRIVATE_CGROUPS = `set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec "$@"`;
