/** Rule files and dashboards come out of the chart as they went in. */
import { cpSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectFiles, textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { find, type KubernetesObject, parseObjects } from "./kubernetes.ts";
import { invalidObjects } from "./object-types.ts";
import { chart, helm, render, template, valuesFile } from "./tools.ts";

const RULES = `groups:
  - name: example
    interval: 30s
    limit: 10
    rules:
      - record: job:keyward_requests:rate5m
        expr: sum by (job) (rate(keyward_requests_total[5m]))
      - alert: ExampleStays
        expr: keyward_registry_up == 0 and 14.4 > 0.001
        for: 5m
        labels: { severity: page }
        annotations: { summary: "{{ $labels.instance }} has {{ $value | humanize }}" }
  - name: only-disabled
    rules:
      - alert: ExampleGoes
        expr: vector(1)
`;
const DASHBOARD = `{ "uid": "example", "title": "{{ not a template }}", "panels": [{ "legend": "{{route}}" }] }`;

interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly object[] }[];
}

const rulesOf = (object: KubernetesObject): Rules => object.spec as unknown as Rules;

describe.skipIf(helm === undefined)("the chart", () => {
  test("takes any rule file and dashboard that is put into it, unchanged", async () => {
    await using folder = await makeTempFolder();
    const copy = folder.file("keyward");
    cpSync(chart, copy, { recursive: true });
    await folder.write("keyward/files/rules/my_rules.yaml", RULES);
    await folder.write("keyward/files/rules/empty.yaml", "groups: []\n");
    await folder.write("keyward/files/dashboards/my_board.json", DASHBOARD);
    const settings = ["--set-json", 'metrics.prometheusRule.disable=["ExampleGoes"]'];
    const objects = parseObjects(
      template(["--values", valuesFile("everything"), ...settings], { folder: copy }),
    );
    const rule = find(objects, "PrometheusRule", "memory-gate-my-rules");
    expect(rulesOf(rule).groups).toEqual([(parse(RULES) as Rules).groups[0]]);
    expect(rule.metadata.labels).toMatchObject({ release: "prometheus" });
    expect(objects.filter(({ metadata }) => metadata.name === "memory-gate-empty")).toEqual([]);
    const dashboard = find(objects, "ConfigMap", "memory-gate-dashboard-my-board");
    expect(dashboard.data).toEqual({ "my_board.json": DASHBOARD });
    expect(dashboard.metadata).toMatchObject({
      labels: { grafana_dashboard: "1" },
      annotations: { grafana_folder: "Keyward" },
    });
    expect(invalidObjects([rule, dashboard])).toEqual([]);
  });

  test("carries its own rules, all but those that are switched off", () => {
    const files = projectFiles("helm/keyward/files/rules").filter((path) => path.endsWith(".yaml"));
    const written = files.flatMap((path) => (parse(textOf(path)) as Partial<Rules> | null)?.groups ?? []);
    const objects = render("everything", "metrics.prometheusRule.disable=[]");
    const carried = objects
      .filter(({ kind }) => kind === "PrometheusRule")
      .flatMap((object) => rulesOf(object).groups);
    expect(carried).toEqual(written);
  });

  test("carries its own dashboards, byte for byte", () => {
    const files = projectFiles("helm/keyward/files/dashboards").filter((path) => path.endsWith(".json"));
    const carried = render("everything")
      .filter(({ metadata }) => metadata.name.includes("-dashboard-"))
      .flatMap(({ data }) => Object.values(data ?? {}));
    expect(carried).toEqual(files.map((path) => textOf(path).trim()));
  });

  test("monitors nothing unless it is asked to: the objects need Prometheus' operator", () => {
    const kinds = new Set(render("sqlite").map(({ kind }) => kind));
    expect([...kinds].filter((kind) => /Monitor|Rule/.test(kind))).toEqual([]);
    const asked = render("sqlite", "metrics.serviceMonitor.enabled=true", "metrics.podMonitor.enabled=true");
    for (const kind of ["ServiceMonitor", "PodMonitor"]) {
      expect(asked.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name)).toEqual([
        "demo-keyward",
        "demo-keyward-registry",
      ]);
    }
  });
});
