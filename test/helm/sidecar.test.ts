/** The gate as a sidecar, by either way: included in somebody's chart, or patched into their manifests. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { run as check } from "../../src/cli/check.ts";
import { projectRoot, textOf } from "../support/source-files.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";
import {
  type Container,
  find,
  type KubernetesObject,
  parseObjects,
  podsOf,
  type PodTemplate,
  specOf,
  type Texts,
} from "./kubernetes.ts";
import { type Given, mountFiles } from "./mounted.ts";
import { invalidObjects, unknownFields } from "./object-types.ts";
import { containerFaults, restrictedFaults } from "./pod-faults.ts";
import { helm, helm3, kubectl, kustomize, run, template } from "./tools.ts";

const fixtures = join(projectRoot, "test/helm/fixtures");
const given: Given = {
  "keyward-keys": { "keys.yaml": textOf("test/helm/fixtures/kustomize/full/keys.yaml") },
  tokens: { "gate-token": "t".repeat(40) },
};

function sidecarOf({ spec }: PodTemplate): Container {
  const [sidecar, ...others] = (spec.initContainers ?? []).filter(({ name }) => name === "keyward");
  if (sidecar === undefined || others.length > 0) throw new Error("not one sidecar");
  return sidecar;
}

/** `demo` of Deployment and the like that carry the sidecar. */
function protectedPod(objects: readonly KubernetesObject[]): PodTemplate {
  const [pod, ...others] = podsOf(objects).filter(({ spec }) =>
    spec.initContainers?.some(({ name }) => name === "keyward"),
  );
  if (pod === undefined || others.length > 0) throw new Error("not one protected pod");
  return pod;
}

async function checked(objects: readonly KubernetesObject[]): Promise<string> {
  await using folder = await makeTempFolder();
  const pod = protectedPod(objects);
  const all: Record<string, Texts> = { ...given };
  for (const { metadata, data = {} } of objects.filter(({ kind }) => kind === "Secret")) {
    const decoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]);
    all[metadata.name] = Object.fromEntries(decoded) as Texts;
  }
  const inFolder = await mountFiles(pod.spec, "keyward", objects, all, folder);
  const stdout = new PassThrough({ encoding: "utf8" });
  const config = inFolder("/etc/keyward/keyward.yaml");
  await check(["--config", config], { stdout, stderr: new PassThrough(), env: {} });
  stdout.end();
  return (await stdout.toArray()).join("");
}

function expectSidecar(objects: readonly KubernetesObject[]): void {
  const pod = protectedPod(objects);
  const sidecar = sidecarOf(pod);
  expect(pod.spec.initContainers?.[0]).toBe(sidecar);
  expect(sidecar.restartPolicy).toBe("Always");
  expect(containerFaults(sidecar, pod.spec)).toEqual([]);
  expect(sidecar.volumeMounts?.map(({ mountPath }) => mountPath)).toContain("/etc/keyward");
  // What the application is given, the gate's Secrets are not among it.
  for (const { name, volumeMounts = [] } of pod.spec.containers) {
    expect(
      volumeMounts.filter((mount) => mount.name.startsWith("keyward")),
      name,
    ).toEqual([]);
  }
}

interface Timing {
  readonly delay: number;
  readonly grace: number;
}

function timingOf(objects: readonly KubernetesObject[]): Timing {
  const config = objects.find(
    ({ kind, data }) => kind === "ConfigMap" && data?.["keyward.yaml"] !== undefined,
  );
  const parsed = parse(config?.data?.["keyward.yaml"] ?? "") as {
    shutdown_delay: string;
    shutdown_grace: string;
  };
  return {
    delay: Number.parseInt(parsed.shutdown_delay, 10),
    grace: Number.parseInt(parsed.shutdown_grace, 10),
  };
}

/** The application stays until the gate takes nothing more, and the pod until the gate is done. */
function expectDrain(objects: readonly KubernetesObject[]): void {
  const { spec } = protectedPod(objects);
  const { delay, grace } = timingOf(objects);
  expect(spec.containers[0]?.lifecycle?.preStop?.sleep?.seconds).toBeGreaterThan(delay);
  expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(delay + grace + 5);
}

/** Before Kubernetes 1.33 the names of a sidecar's ports are found by nobody but itself. */
function expectPortsByNumber(objects: readonly KubernetesObject[]): void {
  const { ingress } = specOf<{ ingress: { ports: { port: unknown }[] }[] }>(find(objects, "NetworkPolicy"));
  expect(ingress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([[8080], [9090]]);
  const probe = protectedPod(objects).spec.containers[0]?.readinessProbe?.httpGet?.port;
  expect(typeof probe).not.toBe("string");
}

describe.skipIf(helm === undefined || helm3 === undefined)(
  "the library chart, in the chart of an application",
  () => {
    let folder: TempFolder;
    const app = (): string => folder.file("app");
    const render = (...settings: readonly string[]): readonly KubernetesObject[] =>
      parseObjects(
        template(
          settings.flatMap((setting) => ["--set-json", setting]),
          { folder: app() },
        ),
      );

    beforeAll(async () => {
      folder = await makeTempFolder();
      cpSync(join(projectRoot, "helm/keyward-sidecar"), folder.file("keyward-sidecar"), { recursive: true });
      cpSync(join(fixtures, "app"), app(), { recursive: true });
      const built = run(helm, ["dependency", "build", app()]);
      if (built.code !== 0) throw new Error(built.stderr);
    });
    afterAll(async () => await folder[Symbol.asyncDispose]());

    test("passes the linter, itself and there", () => {
      for (const program of [helm, helm3]) {
        expect(run(program, ["lint", "--strict", join(projectRoot, "helm/keyward-sidecar")]).code).toBe(0);
        expect(run(program, ["lint", "--strict", app()])).toMatchObject({ code: 0 });
      }
      expect(template([], { folder: app(), program: helm3 })).toBe(template([], { folder: app() }));
    });

    test("renders valid objects, with a sidecar that is locked up and drains", async () => {
      const objects = render();
      expect(invalidObjects(objects)).toEqual([]);
      expect(unknownFields({ app: objects })).toBe("");
      expectSidecar(objects);
      expectDrain(objects);
      expectPortsByNumber(objects);
      const pod = protectedPod(objects);
      expect(pod.spec.containers.flatMap((container) => restrictedFaults(container, pod.spec))).toEqual([]);
      expect(await checked(objects)).toMatch(/: ok, 1 route, 1 key\n$/);
    });

    test("lets the application be probed where only the gate reaches it", () => {
      const objects = render();
      const config = parse(find(objects, "ConfigMap").data?.["keyward.yaml"] ?? "") as {
        ops: { port: number; probes: object };
      };
      expect(config.ops.probes).toEqual({ health: { path: "/healthz" } });
      const [application] = protectedPod(objects).spec.containers;
      expect(application?.readinessProbe?.httpGet).toEqual({ path: "/probe/health", port: config.ops.port });
    });

    test("is what the kustomize component has as well", () => {
      const { imagePullPolicy, image, ...sidecar } = sidecarOf(protectedPod(render())) as Container & {
        imagePullPolicy: string;
      };
      expect([imagePullPolicy, image]).toEqual(["IfNotPresent", expect.stringMatching(/^keyward:\d/)]);
      const component = parse(textOf("helm/kustomize/sidecar/sidecar.yaml")) as {
        spec: { template: { spec: { initContainers: readonly Container[] } } };
      };
      expect(component.spec.template.spec.initContainers).toEqual([{ ...sidecar, image: "keyward" }]);
    });

    test("takes keys from a registry, with a token that is mounted", async () => {
      const objects = render(
        'keyward-sidecar.keys={"existingSecret":"","registry":{"url":"http://keys-keyward-registry:8090","tokenSecret":{"name":"tokens"}}}',
        'keyward-sidecar.secrets={"backend":{"secretName":"tokens"}}',
      );
      expect(invalidObjects(objects)).toEqual([]);
      expectSidecar(objects);
      expect(await checked(objects)).toMatch(/: ok, 1 route, keys of a registry\n$/);
    });

    test("follows its own ports and times everywhere", () => {
      const objects = render(
        'keyward-sidecar.ports={"http":9000,"ops":9001}',
        'keyward-sidecar.drain={"delaySeconds":20,"graceSeconds":60}',
        "keyward-sidecar.upstreamPort=3000",
      );
      const sidecar = sidecarOf(protectedPod(objects));
      expect(sidecar.ports?.map(({ containerPort }) => containerPort)).toEqual([9000, 9001]);
      const config = find(objects, "ConfigMap").data?.["keyward.yaml"];
      expect(parse(config ?? "")).toMatchObject({
        listen: { port: 9000 },
        ops: { port: 9001 },
        upstreams: { default: { url: "http://127.0.0.1:3000" } },
      });
      expectDrain(objects);
    });

    test.for([
      ['keyward-sidecar.confg={"routes":[]}', /confg/],
      ['keyward-sidecar.config.routs=[{"path":"/"}]', /routs/],
      ["keyward-sidecar.config.routes=null", /routes/],
      ['keyward-sidecar.keys.existingSecret=""', /no keys: set/],
      ['keyward-sidecar.keys.registry.url="http://registry"', /exclude each other/],
      ["keyward-sidecar.upstreamPort=8080", /gate and application share one network/],
    ] as const)("refuses %s", ([setting, words]) => {
      expect(run(helm, ["template", "demo", app(), "--set-json", setting]).stderr).toMatch(words);
    });
  },
);

describe.skipIf(kubectl === undefined)("the kustomize components", () => {
  const of = (name: string): readonly KubernetesObject[] => kustomize(join(fixtures, "kustomize", name));

  test.for(["plain", "full"])("make valid objects of existing manifests: %s", async (name) => {
    const objects = of(name);
    // kustomize breaks the lines of Secrets, which Kubernetes allows and the validator does not.
    expect(invalidObjects(objects.filter(({ kind }) => kind !== "Secret"))).toEqual([]);
    expect(unknownFields({ kustomize: objects })).toBe("");
    expectSidecar(objects);
    expectPortsByNumber(objects);
    expect(await checked(objects)).toMatch(/: ok, 2 routes, 1 key\n$/);
    expect(sidecarOf(protectedPod(objects)).image).toMatch(/^registry\.example\.com\/keyward/);
  });

  test("put the gate in front of the Service, and close everything else", () => {
    const service = find(of("full"), "Service", "prod-memory");
    expect(service.spec?.["ports"]).toEqual([
      { name: "http", port: 80, targetPort: 8080 },
      { name: "admin", port: 81, targetPort: 8001 },
    ]);
    const objects = of("full");
    const { podSelector } = find(objects, "NetworkPolicy").spec as { podSelector: { matchLabels: object } };
    expect(protectedPod(objects).labels).toMatchObject(podSelector.matchLabels);
  });

  test("leave alone what is not labelled, and what was there before", () => {
    const objects = of("full");
    const source = parseObjects(textOf("test/helm/fixtures/kustomize/full/app.yaml"));
    expect(find(objects, "Deployment", "prod-worker").spec).toEqual(find(source, "Deployment").spec);
    const before = podsOf(source)[0]?.spec;
    const after = protectedPod(objects).spec;
    expect(after.containers).toEqual(before?.containers);
    expect(after.terminationGracePeriodSeconds).toBe(90);
    expect(after.initContainers?.slice(1)).toEqual(before?.initContainers);
    expect(after.volumes).toEqual(expect.arrayContaining([...(before?.volumes ?? [])]));
    expect(after.securityContext).toEqual(before?.securityContext);
  });

  test("let the application outlive the gate where that is asked for", () => {
    expectDrain(of("plain"));
  });
});
