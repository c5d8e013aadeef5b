/** Values that make no sense are refused before anything is installed, in words that help. */
import { describe, expect, test } from "vitest";
import { chart, helm, helm3, installs, run, valuesFile } from "./tools.ts";

type Refusal = readonly [install: string, settings: readonly string[], words: RegExp];

const bySchema: readonly Refusal[] = [
  ["gate", ["gate.replica=2"], /replica\b/],
  ["gate", ["replicas=2"], /replicas/],
  ["gate", ['gate.replicas="two"'], /replicas/],
  ["gate", ['gate.config.routs=[{"path":"/"}]'], /routs/],
  ["gate", ['gate.config.upstreams.default.urls="http://x"'], /urls/],
  ["gate", ["gate.config.listen.port=80"], /listen/],
  ["gate", ['gate.config.shutdown_grace="5m"'], /shutdown_grace/],
  ["gate", ['gate.config.errors={"reveal":"yes"}'], /reveal/],
  ["gate", ['gate.keys.existingSecret="No_Name"'], /existingSecret/],
  ["gate", ['gate.keys.file="../keys.yaml"'], /file/],
  ["gate", ['image.digest="sha256:abc"'], /digest/],
  ["gate", ['image.pullPolicy="Sometimes"'], /pullPolicy/],
  ["gate", ["gate.drain.delaySeconds=-1"], /delaySeconds/],
  ["gate", ['metrics.serviceMonitor.interval="often"'], /interval/],
  ["gate-of-a-registry", ['gate.keys.registry.options={"token":"secret"}'], /token/],
  ["sqlite", ["registry.replicas=2"], /replicas/],
  ["sqlite", ['registry.storage.kind="mysql"'], /kind/],
  ["sqlite", ['registry.config={"tokens":{"gate_token":"a-token-in-the-open-1"}}'], /tokens/],
  ["sqlite", ['registry.config={"storage":"postgres://user:password@host/db"}'], /storage/],
];

const byTemplate: readonly Refusal[] = [
  [
    "existing-config",
    ['gate.config={"routes":[{"path":"/"}]}'],
    /config and gate\.existingConfigMap exclude/,
  ],
  ["gate", ["gate.config.upstreams={}"], /gate\.config\.upstreams is needed/],
  ["gate", ['gate.keys.existingSecret=""'], /no keys: set/],
  ["gate", ['gate.keys.registry.url="http://registry:8090"'], /exclude each other/],
  ["sqlite", ['registry.tokens.existingSecret=""'], /no token for the registry/],
  ["postgres", ['registry.storage.postgres.existingSecret=""'], /postgres\.existingSecret is needed/],
  ["postgres", ["gate.networkPolicy.backend.podSelector=null"], /ports needs .*podSelector/],
  ["gate", ["gate.ingress.enabled=true"], /gate\.ingress\.hosts is needed/],
  ["gate", ["gate.httpRoute.enabled=true"], /gate\.httpRoute\.parentRefs is needed/],
  ["everything", ["gate.autoscaling.maxReplicas=2"], /minReplicas is larger/],
  ["registry", ["registry.enabled=false"], /nothing to install/],
];

function refusal(program: string | undefined, install: string, settings: readonly string[]): string {
  const sets = settings.flatMap((setting) => ["--set-json", setting]);
  const { code, stderr } = run(program, [
    "template",
    "demo",
    chart,
    "--values",
    valuesFile(install),
    ...sets,
  ]);
  return code === 0 ? "" : stderr;
}

describe.skipIf(helm === undefined || helm3 === undefined)("the chart", () => {
  test.for(bySchema)("has a schema that refuses, for %s, %s", ([install, settings, words]) => {
    const refused = refusal(helm, install, settings);
    expect(refused).toMatch(/don't meet the specifications of the schema/);
    expect(refused).toMatch(words);
  });

  // It reads schemas by another library.
  test.for(bySchema.slice(0, 5))(
    "has a schema that refuses in Helm 3, for %s, %s",
    ([install, settings, words]) => {
      expect(refusal(helm3, install, settings)).toMatch(words);
    },
  );

  test.for(byTemplate)("refuses, for %s, %s", ([install, settings, words]) => {
    expect(refusal(helm, install, settings)).toMatch(words);
  });

  test("says what is missing when it is installed without values", () => {
    expect(run(helm, ["template", "demo", chart]).stderr).toContain("gate.config.upstreams is needed");
  });

  test("can be a dependency, which brings `global` along", () => {
    expect(refusal(helm, installs[0] ?? "", ['global={"anything":true}'])).toBe("");
  });
});
