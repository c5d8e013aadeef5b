/**
 * What would be wrong with a pod in a cluster that takes security seriously: the restricted Pod
 * Security Standard (kubernetes.io/docs/concepts/security/pod-security-standards), and rules of our own.
 */
import {
  type Container,
  type PodSpec,
  type PodTemplate,
  type SecurityContext,
  containersOf,
} from "./kubernetes.ts";

const LIVE_FOLDERS = ["/etc/keyward", "/etc/keyward-keys", "/etc/keyward-registry", "/etc/keyward-secrets"];

/** All that is wrong, in words; empty when nothing. */
export function podFaults({ of, spec }: PodTemplate): readonly string[] {
  const faults = [
    ...fault(spec.automountServiceAccountToken !== false, "mounts a token for the Kubernetes API"),
    ...fault(
      spec.hostNetwork === true || spec.hostPID === true || spec.hostIPC === true,
      "shares with the host",
    ),
    ...(spec.volumes ?? []).flatMap((volume) => [
      ...fault(volume.hostPath !== undefined, `volume ${volume.name} is a folder of the host`),
      ...fault(
        (volume.secret?.defaultMode ?? 0) % 8 > 4,
        `volume ${volume.name} can be written by everybody`,
      ),
    ]),
    ...containersOf(spec).flatMap((container) =>
      containerFaults(container, spec).map((text) => `container ${container.name} ${text}`),
    ),
  ];
  return faults.map((text) => `${of}: ${text}`);
}

/** Of one container only; that of an application beside a sidecar need not follow our own rules. */
export function containerFaults(container: Container, pod: PodSpec): readonly string[] {
  return [...restrictedFaults(container, pod), ...ownFaults(container, pod)];
}

/** The restricted standard, as the admission controller of a namespace checks it. */
export function restrictedFaults({ securityContext = {} }: Container, pod: PodSpec): readonly string[] {
  // The container's word goes over the pod's.
  const context: SecurityContext = { ...pod.securityContext, ...securityContext };
  const { capabilities = {} } = securityContext;
  return [
    ...fault(context.runAsNonRoot !== true, "may run as root"),
    ...fault(context.runAsUser === 0, "runs as root"),
    ...fault(securityContext.allowPrivilegeEscalation !== false, "may gain privileges"),
    ...fault(securityContext.privileged === true, "is privileged"),
    ...fault(capabilities.drop?.includes("ALL") !== true, "keeps capabilities"),
    ...fault(
      (capabilities.add ?? []).some((name) => name !== "NET_BIND_SERVICE"),
      "adds capabilities",
    ),
    ...fault(
      !["RuntimeDefault", "Localhost"].includes(context.seccompProfile?.type ?? ""),
      "has no seccomp profile",
    ),
  ];
}

function ownFaults(container: Container, pod: PodSpec): readonly string[] {
  const volumes = new Set((pod.volumes ?? []).map(({ name }) => name));
  const ports = new Set((container.ports ?? []).map(({ name }) => name));
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  return [
    ...fault(container.securityContext?.readOnlyRootFilesystem !== true, "may write to its own files"),
    ...fault(!/:[^/:]+$|@sha256:[0-9a-f]{64}$/.test(container.image), "has an image without a version"),
    ...fault(container.image.endsWith(":latest"), "has an image that may be any"),
    ...fault(container.resources?.limits?.["memory"] === undefined, "has no bound on memory"),
    ...fault(container.resources?.limits?.["cpu"] !== undefined, "is throttled"),
    ...(container.volumeMounts ?? []).flatMap(({ name, mountPath, subPath, readOnly }) => [
      ...fault(!volumes.has(name), `mounts ${name}, which the pod does not have`),
      ...fault(subPath !== undefined, `mounts ${mountPath} by subPath, which never changes`),
      ...fault(
        LIVE_FOLDERS.some((folder) => mountPath.startsWith(folder)) && readOnly !== true,
        `may write to ${mountPath}`,
      ),
    ]),
    // A probe's port is looked up among the ports of its own container only.
    ...probes.flatMap((probe) => {
      const port = probe?.httpGet?.port;
      return fault(
        typeof port === "string" && !ports.has(port),
        `is probed at ${port}, which it does not have`,
      );
    }),
    ...(container.env ?? []).flatMap(({ name, value }) =>
      fault(value !== undefined && /token|secret|password|key$/i.test(name), `holds ${name} in the open`),
    ),
  ];
}

function fault(isThere: boolean, text: string): readonly string[] {
  return isThere ? [text] : [];
}
