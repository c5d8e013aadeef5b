/** The charts' pods are as locked up as can be, and no secret stands in what the charts render. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { find, isSelected, podsOf, type PodTemplate, specOf, type Texts } from "./kubernetes.ts";
import { podFaults } from "./pod-faults.ts";
import { helm, installs, render } from "./tools.ts";

interface Policy {
  readonly podSelector: { readonly matchLabels: Texts };
  readonly ingress: readonly {
    readonly from?: readonly object[];
    readonly ports?: readonly { port: number | string }[];
  }[];
}

describe.skipIf(helm === undefined)("the chart", () => {
  test.for(installs)("keeps every pod within the restricted standard and our own rules: %s", (install) => {
    const pods = podsOf(render(install));
    expect(pods.map(({ of }) => of)).toContain(
      `Pod ${install === "everything" ? "memory-gate" : "demo-keyward"}-test`,
    );
    expect(pods.flatMap(podFaults)).toEqual([]);
  });

  test.for(installs)("makes no Secret, and puts nothing secret into a ConfigMap: %s", (install) => {
    const objects = render(install);
    expect(objects.filter(({ kind }) => kind === "Secret")).toEqual([]);
    const texts = objects
      .filter(({ kind }) => kind === "ConfigMap")
      .flatMap(({ data }) => Object.values(data ?? {}));
    // Tokens and credentials come from files; a value in the open would stand where `_file` does.
    expect(
      texts.filter((text) => /\b(token|value|storage|admin_token|gate_token|secret): (?!\/)/.test(text)),
    ).toEqual([]);
  });

  test.for(installs)("selects by labels that no upgrade changes: %s", (install) => {
    const objects = render(install).filter(({ kind }) => kind === "Deployment");
    for (const object of objects) {
      const { selector } = specOf<{ selector: { matchLabels: Texts } }>(object);
      expect(Object.keys(selector.matchLabels), object.metadata.name).toEqual([
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
      ]);
    }
  });

  test.for(installs)("has Services, monitors and policies that find their pods and ports: %s", (install) => {
    const objects = render(install);
    const pods = podsOf(objects);
    for (const service of objects.filter(({ kind }) => kind === "Service")) {
      const { selector, ports } = specOf<{ selector: Texts; ports: { targetPort: string }[] }>(service);
      const selected = pods.filter(({ labels }) => isSelected(selector, labels));
      expect(selected.length, service.metadata.name).toBe(1);
      const names = portNames(selected);
      for (const { targetPort } of ports) expect(names, service.metadata.name).toContain(targetPort);
    }
    for (const monitor of objects.filter(({ kind }) => kind === "ServiceMonitor")) {
      const { selector } = specOf<{ selector: { matchLabels: Texts } }>(monitor);
      const services = objects.filter(
        ({ kind, metadata }) => kind === "Service" && isSelected(selector.matchLabels, metadata.labels ?? {}),
      );
      expect(services.map(({ metadata }) => metadata.name)).toEqual([
        expect.stringMatching(new RegExp(`^${monitor.metadata.name}-ops$`)),
      ]);
    }
    for (const object of objects.filter(({ kind }) => kind === "NetworkPolicy")) {
      const { metadata } = object;
      if (metadata.name.endsWith("-backend")) continue;
      const policy = specOf<Policy>(object);
      const selected = pods.filter(({ labels }) => isSelected(policy.podSelector.matchLabels, labels));
      expect(selected.length, metadata.name).toBe(1);
      const ports = policy.ingress.flatMap((rule) => rule.ports ?? []).map(({ port }) => port);
      expect(ports, metadata.name).toEqual(portNames(selected));
    }
  });

  test("lets only the gate reach the backend", () => {
    const objects = render("postgres");
    const policy = specOf<Policy>(find(objects, "NetworkPolicy", "demo-keyward-backend"));
    expect(policy.podSelector).toEqual({ matchLabels: { app: "memory-backend" } });
    const [rule, ...others] = policy.ingress;
    expect(others).toEqual([]);
    expect(rule?.ports).toEqual([{ port: 8000, protocol: "TCP" }]);
    const [peer, ...otherPeers] = (rule?.from ?? []) as Policy[];
    expect(otherPeers).toEqual([]);
    const [gate] = podsOf([find(objects, "Deployment", "demo-keyward")]);
    expect(isSelected(peer?.podSelector.matchLabels ?? {}, gate?.labels ?? {})).toBe(true);
    const [registry] = podsOf([find(objects, "Deployment", "demo-keyward-registry")]);
    expect(isSelected(peer?.podSelector.matchLabels ?? {}, registry?.labels ?? {})).toBe(false);
  });

  test("lets its own gates and tests through where policies name who may call", () => {
    const objects = render("postgres");
    const pods = podsOf(objects);
    const peersOf = (policy: string, port: string): readonly object[] => {
      const { ingress } = specOf<Policy>(find(objects, "NetworkPolicy", policy));
      return ingress.find((rule) => rule.ports?.some((each) => each.port === port))?.from ?? [];
    };
    const admits = (peers: readonly object[], labels: Texts): boolean =>
      peers.some(
        (peer) => "podSelector" in peer && isSelected((peer as Policy).podSelector.matchLabels ?? {}, labels),
      );
    const labelsOf = (of: string): Texts => pods.find((pod) => pod.of === of)?.labels ?? {};
    expect(admits(peersOf("demo-keyward-registry", "http"), labelsOf("Deployment demo-keyward"))).toBe(true);
    expect(admits(peersOf("demo-keyward", "ops"), labelsOf("Pod demo-keyward-test"))).toBe(true);
    expect(admits(peersOf("demo-keyward-registry", "ops"), labelsOf("Pod demo-keyward-test"))).toBe(true);
    expect(admits(peersOf("demo-keyward", "http"), labelsOf("Pod demo-keyward-test"))).toBe(false);
  });

  test("keeps the keys when the release is removed, and never gives them to two pods", () => {
    const objects = render("sqlite");
    expect(find(objects, "PersistentVolumeClaim").metadata.annotations).toMatchObject({
      "helm.sh/resource-policy": "keep",
    });
    expect(find(objects, "Deployment", "demo-keyward-registry").spec).toMatchObject({
      replicas: 1,
      strategy: { type: "Recreate" },
    });
  });

  test("lets the cluster give out user ids where it does", () => {
    const [pod] = podsOf(render("openshift"));
    expect(pod?.spec.securityContext).toEqual({
      fsGroupChangePolicy: "OnRootMismatch",
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
  });
});

function portNames(pods: readonly PodTemplate[]): readonly (string | undefined)[] {
  return pods.flatMap(({ spec }) =>
    spec.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name)),
  );
}

test("a pod that is not locked up is told everything that is wrong with it", () => {
  const pod = parse(`
    of: Pod bad
    spec:
      hostNetwork: true
      volumes: [{ name: host, hostPath: { path: / } }]
      containers:
        - name: app
          image: app
          env: [{ name: API_TOKEN, value: abc }]
          securityContext: { runAsUser: 0, privileged: true, capabilities: { add: [SYS_ADMIN] } }
          readinessProbe: { httpGet: { path: /, port: http } }
          volumeMounts: [{ name: keys, mountPath: /etc/keyward-keys, subPath: keys.yaml }]
  `) as PodTemplate;
  expect(podFaults(pod)).toHaveLength(18);
});
