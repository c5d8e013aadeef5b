/** What the chart makes Keyward read is what Keyward takes, and the rest of the pod fits it. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { run as check } from "../../src/cli/check.ts";
import { loadRegistryConfig } from "../../src/config/registry-load.ts";
import { textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { CertificateAuthority } from "../support/tls.ts";
import { find, type KubernetesObject, type PodTemplate, podsOf, specOf, type Texts } from "./kubernetes.ts";
import { type Given, mountFiles } from "./mounted.ts";
import { helm, installs, render, RELEASE } from "./tools.ts";

const keyFile = `keys:
  - id: key_1
    digest: sha256:${"a".repeat(64)}
    organization: { id: org_1 }
`;
const token = "t".repeat(40);

/** What the installs need to be there already. */
const given: Given = {
  "keyward-keys": { "keys.yaml": keyFile },
  "my-keys": { "production.yaml": keyFile },
  "my-keyward": {
    "keyward.yaml": `
upstreams: { default: { url: http://memory-backend:8000 } }
keys: { file: /etc/keyward-keys/production.yaml }
routes: [{ path: /v1/**, scopes: [read] }]
shutdown_delay: 5s
`,
  },
  "registry-token": { "gate-token": token },
  "registry-tokens": { "gate-token": token, "admin-token": `${token}2`, gate: token, admin: `${token}2` },
  "registry-database": { url: "postgres://keyward:secret@database/keyward" },
  "backend-credentials": { token: "backend-secret" },
  "backend-ca": { "ca.crt": new CertificateAuthority().cert },
};

interface Config {
  readonly listen?: { readonly port: number };
  readonly ops?: { readonly port: number };
  readonly shutdown_delay?: string;
  readonly shutdown_grace?: string;
  readonly keys?: { readonly registry?: { readonly url: string } };
}

function deployment(objects: readonly KubernetesObject[], component: string): PodTemplate | undefined {
  return podsOf(objects.filter(({ kind }) => kind === "Deployment")).find(
    ({ labels }) => labels["app.kubernetes.io/component"] === component,
  );
}

async function checked(
  pod: PodTemplate,
  container: string,
  objects: readonly KubernetesObject[],
): Promise<{ code: number; output: string }> {
  await using folder = await makeTempFolder();
  const inFolder = await mountFiles(pod.spec, container, objects, given, folder);
  const environment = pod.spec.containers.find(({ name }) => name === container)?.env ?? [];
  const stdout = new PassThrough({ encoding: "utf8" });
  const code = await check(["--config", inFolder("/etc/keyward/keyward.yaml")], {
    stdout,
    stderr: new PassThrough(),
    env: Object.fromEntries(environment.map(({ name, value }) => [name, value])),
  });
  stdout.end();
  return { code, output: (await stdout.toArray()).join("") };
}

const isInstalled = (install: string, component: string): boolean =>
  helm !== undefined && deployment(render(install), component) !== undefined;
const withGate = installs.filter((install) => isInstalled(install, "gate"));
const withRegistry = installs.filter((install) => isInstalled(install, "registry"));

describe.skipIf(helm === undefined)("the chart", () => {
  test.for(withGate)("gives the gate files that it takes: %s", async (install) => {
    const objects = render(install);
    const gate = deployment(objects, "gate");
    if (gate === undefined) throw new Error("no gate");
    const { code, output } = await checked(gate, "gate", objects);
    expect(code, output).toBe(0);
    expect(output).toContain(": ok,");
    const test = podsOf(objects).find(({ of }) => of.startsWith("Pod "));
    if (test === undefined) throw new Error("no test");
    expect(await checked(test, "config-is-valid", objects)).toMatchObject({ code: 0 });
  });

  test.for(withRegistry)("gives the registry files that it takes: %s", async (install) => {
    const objects = render(install);
    const registry = deployment(objects, "registry");
    if (registry === undefined) throw new Error("no registry");
    await using folder = await makeTempFolder();
    const inFolder = await mountFiles(registry.spec, "registry", objects, given, folder);
    const loaded = loadRegistryConfig(inFolder("/etc/keyward/registry.yaml"), {});
    expect(loaded.ok ? [] : loaded.faults).toEqual([]);
    if (!loaded.ok) return;
    const { storage, tokens, listen } = loaded.config;
    expect(storage).toMatch(install === "postgres" ? /^postgres:/ : /\/var\/lib\/keyward\/registry\.db$/);
    expect(tokens.gate_token).toBe(install === "registry" ? undefined : token);
    // In a pod of its own, 127.0.0.1 would be reached by nobody.
    expect(listen.host).toBe("0.0.0.0");
  });

  test.for(installs)("has the ports that the config says, and time to drain: %s", (install) => {
    const objects = render(install);
    for (const component of ["gate", "registry"]) {
      const pod = deployment(objects, component);
      if (pod === undefined) continue;
      const config = configOf(objects, pod);
      const [container] = pod.spec.containers;
      const ports = (container?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]);
      const [http, ops] = component === "gate" ? [8080, 9090] : [8090, 9091];
      expect(ports).toEqual([
        ["http", config.listen?.port ?? http],
        ["ops", config.ops?.port ?? ops],
      ]);
      const hookSeconds = container?.lifecycle?.preStop?.sleep?.seconds ?? 0;
      const neededSeconds =
        hookSeconds + secondsOf(config.shutdown_delay ?? "0s") + secondsOf(config.shutdown_grace ?? "25s");
      // Five of them are what the primary of several workers waits after its grace.
      expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(neededSeconds + 5);
    }
  });

  test("leaves large numbers as they are: helm reads all numbers as floating point", () => {
    const objects = render("gate", 'gate.config.cache={"max_keys":1234567,"max_negative":10000000}');
    const text = find(objects, "ConfigMap").data?.["keyward.yaml"];
    expect(text).toContain("max_keys: 1234567\n");
    expect(text).toContain("max_negative: 10000000\n");
  });

  test("switches an option off by null, as in keyward.yaml", () => {
    const objects = render("gate", 'gate.config.identity={"project":null}');
    expect(find(objects, "ConfigMap").data?.["keyward.yaml"]).toContain("identity:\n  project: null\n");
  });

  test("a gate that takes keys from the registry of its release is told its Service, and both get one token", () => {
    const objects = render("sqlite");
    const gate = deployment(objects, "gate");
    const registry = deployment(objects, "registry");
    if (gate === undefined || registry === undefined) throw new Error("not both are there");
    const service = find(objects, "Service", `${RELEASE}-keyward-registry`);
    const [port] = specOf<{ ports: { port: number }[] }>(service).ports;
    expect(configOf(objects, gate).keys?.registry?.url).toBe(`http://${service.metadata.name}:${port?.port}`);
    const secretsOf = ({ spec }: PodTemplate): unknown =>
      (spec.volumes ?? []).flatMap(({ secret }) =>
        secret === undefined ? [] : [[secret.secretName, secret.items?.[0]?.key]],
      );
    expect(secretsOf(gate)).toEqual([["registry-tokens", "gate-token"]]);
    expect(secretsOf(registry)).toEqual(secretsOf(gate));
  });
});

describe.skipIf(helm === undefined)("a change", () => {
  const templateOf = (component: string, install: string, ...settings: string[]): unknown =>
    deployment(render(install, ...settings), component);

  const routes = 'gate.config.routes=[{"path":"/new/**","scopes":["read"]}]';

  test("of routes is for the running gates to pick up, without a rollout", () => {
    expect(templateOf("gate", "gate", routes)).toEqual(templateOf("gate", "gate"));
  });

  test.for([
    'gate.config.bounds={"body":"1MiB"}',
    "gate.config.workers=4",
    'gate.config.timeouts={"headers":"5s"}',
    'gate.config.log={"access":false}',
    'gate.keys.file="other.yaml"',
  ])("that a running gate cannot pick up rolls the pods: %s", (setting) => {
    expect(templateOf("gate", "gate", setting)).not.toEqual(templateOf("gate", "gate"));
  });

  test("that the source says needs a restart is among those that roll the pods", () => {
    const [, list = ""] = /section of (\["listen"[^\]]+\])/.exec(textOf("src/cli/running-gate.ts")) ?? [];
    const sections = JSON.parse(list) as readonly string[];
    for (const file of ["helm/keyward/templates/_config.tpl", "helm/keyward-sidecar/templates/_pod.tpl"]) {
      const [, picked = ""] = /pick \$config ([^|]+)\|/.exec(textOf(file)) ?? [];
      expect(picked.match(/\w+/g), file).toEqual(expect.arrayContaining([...sections, "keys", "cache"]));
    }
  });

  test("of routes rolls the pods where that is asked for", () => {
    const asked = "gate.restartOnConfigChange=true";
    expect(templateOf("gate", "gate", asked, routes)).not.toEqual(templateOf("gate", "gate", asked));
  });

  test("of the registry's config rolls it, since it reads it at its start only", () => {
    const setting = 'registry.config={"log":{"level":"debug"}}';
    expect(templateOf("registry", "sqlite", setting)).not.toEqual(templateOf("registry", "sqlite"));
  });
});

function configOf(objects: readonly KubernetesObject[], pod: PodTemplate): Config {
  const name = pod.spec.volumes?.find((volume) => volume.name === "config")?.configMap?.name ?? "";
  const made = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name);
  const data: Texts = made?.data ?? given[name] ?? {};
  return parse(data["keyward.yaml"] ?? data["registry.yaml"] ?? "") as Config;
}

function secondsOf(duration: string): number {
  const [, count, unit] = /^(\d+)([sm])$/.exec(duration) ?? [];
  if (count === undefined) throw new Error(`no duration in seconds or minutes: ${duration}`);
  return Number(count) * (unit === "m" ? 60 : 1);
}
