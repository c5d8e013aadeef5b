/** Real helm and kubectl, as `.ci/install-tools kubernetes` unpacks them, and what they make of the charts. */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../support/source-files.ts";
import { requireTool } from "../support/tools.ts";
import { type KubernetesObject, parseObjects } from "./kubernetes.ts";

const installedBy = ".ci/install-tools kubernetes";

export const helm = requireTool("helm-4.1.4", "the Helm charts", installedBy);
export const helm3 = requireTool("helm-3.17.3", "the Helm charts in Helm 3", installedBy);
export const kubectl = requireTool("kubectl-1.35.2", "the kustomize components", installedBy);

export const chart = join(projectRoot, "helm/keyward");
export const RELEASE = "demo";

/** One per supported install: `ci/<name>-values.yaml`. */
export const installs: readonly string[] = readdirSync(join(chart, "ci")).map((file) =>
  file.replace(/-values\.yaml$/, ""),
);

export const valuesFile = (install: string): string => join(chart, `ci/${install}-values.yaml`);

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** Runs a program to its end, whatever that is. Helm finds nothing of this machine's own configuration. */
export function run(program: string | undefined, args: readonly string[]): Run {
  if (program === undefined) throw new Error("the test should have been left out");
  const nowhere = join(projectRoot, ".cache/helm");
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: TIMEOUT_MS,
    env: {
      PATH: process.env["PATH"],
      HOME: nowhere,
      HELM_CACHE_HOME: nowhere,
      HELM_CONFIG_HOME: nowhere,
      HELM_DATA_HOME: nowhere,
      KUBECONFIG: join(nowhere, "none"),
    },
  });
  return { code: status, stdout, stderr };
}

/** What a chart renders to. Throws with helm's own words when it does not. */
export function template(
  args: readonly string[],
  { program = helm, folder = chart }: { program?: string | undefined; folder?: string } = {},
): string {
  const { code, stdout, stderr } = run(program, ["template", RELEASE, folder, ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

const rendered = new Map<string, readonly KubernetesObject[]>();

/** The objects of an install, with `--set` for each of `settings`. */
export function render(install: string, ...settings: readonly string[]): readonly KubernetesObject[] {
  const key = [install, ...settings].join("\n");
  const known = rendered.get(key);
  if (known !== undefined) return known;
  const sets = settings.flatMap((setting) => ["--set-json", setting]);
  const objects = parseObjects(template(["--values", valuesFile(install), ...sets]));
  rendered.set(key, objects);
  return objects;
}

/** What `kubectl kustomize` makes of a folder. */
export function kustomize(folder: string): readonly KubernetesObject[] {
  if (kubectl === undefined) throw new Error("the test should have been left out");
  return parseObjects(
    execFileSync(kubectl, ["kustomize", folder], { encoding: "utf8", timeout: TIMEOUT_MS }),
  );
}
