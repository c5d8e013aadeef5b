/** What the charts render is what Kubernetes takes, in each of the supported installs. */
import { describe, expect, test } from "vitest";
import { parseObjects } from "./kubernetes.ts";
import { invalidObjects, unknownFields } from "./object-types.ts";
import { helm, helm3, installs, render, run, chart, template, valuesFile } from "./tools.ts";

describe.skipIf(helm === undefined || helm3 === undefined)("the chart", () => {
  test.for(installs)("passes helm's linter: %s", (install) => {
    for (const program of [helm, helm3]) {
      expect(run(program, ["lint", "--strict", chart, "--values", valuesFile(install)])).toMatchObject({
        code: 0,
      });
    }
  });

  test.for(installs)("renders the same in Helm 3 and 4, and for old and new clusters: %s", (install) => {
    const values = ["--values", valuesFile(install)];
    const reference = template(values);
    expect(template(values, { program: helm3 })).toBe(reference);
    expect(template([...values, "--kube-version", "1.30"])).toBe(reference);
  });

  test("does not render for clusters that are too old for it", () => {
    const args = ["template", "demo", chart, "--values", valuesFile("gate"), "--kube-version", "1.29"];
    expect(run(helm, args).stderr).toContain("chart requires kubeVersion: >=1.30.0-0");
  });

  test.for(installs)("renders objects that are valid by Kubernetes' own types: %s", (install) => {
    const objects = render(install);
    expect(objects.length).toBeGreaterThan(2);
    expect(invalidObjects(objects)).toEqual([]);
  });

  test("renders no field that Kubernetes does not know", () => {
    const groups = Object.fromEntries(installs.map((install) => [install, render(install)]));
    expect(unknownFields(groups)).toBe("");
  });

  test("finds its pods whatever labels people add, and says no label twice", () => {
    const odd = { "app.kubernetes.io/component": "mine", "app.kubernetes.io/version": "v9", team: "memory" };
    const labels = JSON.stringify(odd);
    const settings = [
      "gate.podLabels",
      "registry.podLabels",
      "metrics.serviceMonitor.labels",
      "commonLabels",
    ].map((name) => `${name}=${labels}`);
    // The parser refuses a key that is there twice.
    const objects = render("everything", ...settings);
    for (const { kind, metadata, spec } of objects) {
      if (metadata.name === "demo-extra") continue;
      expect([metadata.name, metadata.labels]).toEqual([
        metadata.name,
        expect.objectContaining({ team: "memory" }),
      ]);
      if (kind !== "Deployment") continue;
      const { selector, template: pod } = spec as unknown as {
        readonly selector: { readonly matchLabels: object };
        readonly template: { readonly metadata: { readonly labels: object } };
      };
      expect(pod.metadata.labels).toMatchObject({ ...selector.matchLabels, team: "memory" });
    }
  });

  test.for(["gate", "registry"])("helm test runs where the pods of the install can: %s", (install) => {
    const [nodeSelector, tolerations] = [{ "kubernetes.io/arch": "arm64" }, [{ operator: "Exists" }]];
    const objects = render(
      install,
      `${install}.nodeSelector=${JSON.stringify(nodeSelector)}`,
      `${install}.tolerations=${JSON.stringify(tolerations)}`,
    );
    expect(objects.find(({ kind }) => kind === "Pod")?.spec).toMatchObject({ nodeSelector, tolerations });
  });

  test("labels are text, also for a release that is called by a number", () => {
    const { stdout } = run(helm, ["template", "2024", chart, "--values", valuesFile("everything")]);
    expect(invalidObjects(parseObjects(stdout))).toEqual([]);
    expect(stdout).not.toContain("instance: 2024");
  });

  test.for(installs)("gives no two objects one name: %s", (install) => {
    const names = render(install).map(
      ({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`,
    );
    expect(new Set(names).size).toBe(names.length);
  });
});

test("the validators see a wrong type, and tsc a field that does not exist", () => {
  const [wrongType, unknownField] = parseObjects(`
apiVersion: v1
kind: Service
metadata: { name: one }
spec: { ports: [{ port: eighty }] }
---
apiVersion: v1
kind: Pod
metadata: { name: two }
spec: { containers: [{ name: app, image: app, livenessProbes: {} }] }
`);
  if (wrongType === undefined || unknownField === undefined) throw new Error("no objects");
  expect(invalidObjects([wrongType])).toEqual([expect.stringContaining("Service one")]);
  expect(unknownFields({ wrong: [unknownField] })).toMatch(/"livenessProbes"' does not exist/);
});
