/**
 * Is an object what Kubernetes takes? Two opinions, for want of an API server: the validators made
 * from its OpenAPI document (types, required fields), and tsc on the object as a literal, which
 * finds the fields that do not exist.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import {
  PodMonitor,
  PrometheusRule,
  ServiceMonitor,
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { DaemonSet, Deployment, StatefulSet } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount } from "kubernetes-models/v1";
import { projectRoot } from "../support/source-files.ts";
import type { KubernetesObject } from "./kubernetes.ts";
import { run } from "./tools.ts";

interface Model {
  readonly apiVersion: string;
  readonly kind: string;
  // eslint-disable-next-line typescript/no-explicit-any -- each takes an object of its own type
  new (data: any): { validate(): void };
}

const models: readonly Model[] = [
  ConfigMap,
  DaemonSet,
  Deployment,
  HTTPRoute,
  HorizontalPodAutoscaler,
  Ingress,
  NetworkPolicy,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodMonitor,
  PrometheusRule,
  Secret,
  Service,
  ServiceAccount,
  ServiceMonitor,
  StatefulSet,
];

const nameOf = (object: KubernetesObject): string => `${object.kind} ${object.metadata.name}`;

/** What the validators have against the objects; empty when nothing. */
export function invalidObjects(objects: readonly KubernetesObject[]): readonly string[] {
  return objects.flatMap((object) => {
    const model = models.find(
      ({ apiVersion, kind }) => apiVersion === object.apiVersion && kind === object.kind,
    );
    if (model === undefined) return `${nameOf(object)}: ${object.apiVersion} is not among the known types`;
    try {
      new model(object).validate();
      return [];
    } catch (error) {
      return `${nameOf(object)}: ${String(error)}`;
    }
  });
}

const PACKAGES: Readonly<Record<string, string>> = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
};

/**
 * What tsc has against fields of the objects; empty when nothing.
 * @param groups objects by where they come from, for the messages
 */
export function unknownFields(groups: Readonly<Record<string, readonly KubernetesObject[]>>): string {
  // Inside the project, so that the packages are found.
  const cache = join(projectRoot, ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "kubernetes-objects-"));
  for (const [name, objects] of Object.entries(groups)) {
    const lines = objects.map((object) => {
      const from = PACKAGES[object.apiVersion.split("/")[0] ?? ""] ?? "kubernetes-models";
      const type = `import("${from}/${object.apiVersion}").I${object.kind}`;
      return `(${JSON.stringify(object, undefined, 1)}) satisfies ${type};`;
    });
    writeFileSync(join(folder, `${name}.ts`), `${lines.join("\n")}\nexport {};\n`);
  }
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    target: "esnext",
    module: "nodenext",
    moduleDetection: "force",
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const { code, stdout } = run(join(projectRoot, "node_modules/.bin/tsc"), ["-p", folder]);
  rmSync(folder, { recursive: true });
  return code === 0 ? "" : stdout;
}
