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
