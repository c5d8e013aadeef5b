/**
 * Kubernetes objects as the charts render them, read as loosely as YAML is: whether they are what
 * Kubernetes takes is for object-types.ts to say.
 */
import { isMap, parseAllDocuments } from "yaml";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Texts;
    readonly annotations?: Texts;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Texts;
}

export type Texts = Readonly<Record<string, string>>;

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly securityContext?: SecurityContext;
  readonly resources?: { readonly requests?: Texts; readonly limits?: Texts };
  readonly lifecycle?: {
    readonly preStop?: {
      readonly sleep?: { readonly seconds: number };
      readonly exec?: { readonly command: readonly string[] };
    };
  };
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number | string };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

export interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: {
    readonly secretName: string;
    readonly defaultMode?: number;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly emptyDir?: object;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly hostPath?: object;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly securityContext?: SecurityContext;
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly terminationGracePeriodSeconds?: number;
}

export interface PodTemplate {
  /** `Deployment memory-gate`, for messages. */
  readonly of: string;
  readonly labels: Texts;
  readonly annotations: Texts;
  readonly spec: PodSpec;
}

/** The objects of a rendered chart; empty documents and comments between them are none. */
export function parseObjects(yaml: string): readonly KubernetesObject[] {
  return parseAllDocuments(yaml)
    .filter((document) => "contents" in document && isMap(document.contents))
    .map((document) => {
      // A key that stands twice is a fault here, and silently lost in a cluster.
      const [fault] = document.errors;
      if (fault !== undefined) throw fault;
      return document.toJS() as KubernetesObject;
    });
}

/** What runs: pods, and the templates of those that workloads make. */
export function podsOf(objects: readonly KubernetesObject[]): readonly PodTemplate[] {
  return objects.flatMap((object) => {
    const template =
      object.kind === "Pod" ? object : (object.spec?.["template"] as KubernetesObject | undefined);
    if (template?.spec === undefined || !("containers" in template.spec)) return [];
    return {
      of: `${object.kind} ${object.metadata.name}`,
      labels: template.metadata.labels ?? {},
      annotations: template.metadata.annotations ?? {},
      spec: template.spec as unknown as PodSpec,
    };
  });
}

/** The only object of this kind and, where there are several, this name. */
export function find(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1 || found[0] === undefined) {
    throw new Error(`${found.length} objects are ${kind} ${name ?? ""}`);
  }
  return found[0];
}

/** Its spec, taken to be what the test knows it is. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a shorter way to write the cast
export function specOf<T>(object: KubernetesObject): T {
  return (object.spec ?? {}) as T;
}

export const containersOf = (pod: PodSpec): readonly Container[] => [
  ...(pod.initContainers ?? []),
  ...pod.containers,
];

/** Does `labels` hold all that the selector asks for? */
export function isSelected(selector: Texts, labels: Texts): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
