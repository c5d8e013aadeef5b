/** The rules and dashboards as they are shipped: valid, about metrics that exist, with a way out for each alert. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { gateMetricKinds } from "../../src/observe/metric-catalogue.ts";
import { registryMetricKinds } from "../../src/observe/registry-catalogue.ts";
import { runChild } from "../support/child.ts";
import { projectRoot } from "../support/source-files.ts";
import { requireTool } from "../support/tools.ts";
import { dashboards, expressions, rules, ruleFiles, selectorsOf } from "./expressions.ts";

const promtool = requireTool("promtool", "test/monitoring (alert rules against promtool)");

describe.skipIf(promtool === undefined)("promtool", () => {
  test("finds nothing wrong with the rule files", async () => {
    const { code, stdout, stderr } = await runChild(promtool ?? "", ["check", "rules", ...ruleFiles]);
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });

  test("sees each alert fire when it should, and only then", async () => {
    const file = join(projectRoot, "test/monitoring/alerts.yaml");
    const { code, stdout, stderr } = await runChild(promtool ?? "", ["test", "rules", file], {
      deadlineMs: 120_000,
    });
    expect(code, stdout + stderr).toBe(0);
  });
});

test("every alert has a severity, words for people, and a section in the runbook", () => {
  const runbook = readFileSync(join(projectRoot, "config/RUNBOOK.md"), "utf8");
  const anchors = new Set(
    [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
  for (const { alert, labels, annotations } of rules) {
    if (alert === undefined) continue;
    expect([alert, labels?.["severity"]]).toEqual([
      alert,
      expect.stringMatching(/^(info|warning|critical)$/),
    ]);
    expect([alert, Object.keys(annotations ?? {})]).toEqual([alert, ["summary", "description", "runbook"]]);
    const [file, anchor = ""] = annotations?.["runbook"]?.split("#") ?? [];
    expect([alert, file, anchors.has(anchor), anchor]).toEqual([alert, "config/RUNBOOK.md", true, anchor]);
    expect(runbook).toContain(`\`${alert}\``);
  }
});

test("each alert is tried in alerts.yaml", () => {
  const cases = readFileSync(join(projectRoot, "test/monitoring/alerts.yaml"), "utf8");
  const untried = rules.flatMap(({ alert }) =>
    alert === undefined || cases.includes(`"${alert}"`) ? [] : [alert],
  );
  expect(untried).toEqual([]);
});

test("every expression asks about metrics and labels that there are", () => {
  const labels = new Map(
    [...gateMetricKinds, ...registryMetricKinds].map((kind) => [kind.name as string, new Set(kind.labels)]),
  );
  /** Given by Prometheus to everything that it scrapes. */
  const target = new Set(["job", "instance", "namespace", "le"]);
  for (const { where, expr } of expressions) {
    for (const selector of selectorsOf(expr)) {
      if (/^(process|nodejs)_/.test(selector.metric)) continue;
      const known =
        labels.get(selector.metric.replace(/_(bucket|sum|count)$/, "")) ?? labels.get(selector.metric);
      expect([where, selector.metric, known !== undefined]).toEqual([where, selector.metric, true]);
      const unknown = selector.labels.filter((label) => known?.has(label) !== true && !target.has(label));
      expect([where, selector.metric, unknown]).toEqual([where, selector.metric, []]);
    }
  }
});

test("a dashboard that asks what every process or a registry answers as well asks it of gates only", () => {
  const registry = new Set(registryMetricKinds.map(({ name }) => name as string));
  for (const { title, panels, templating } of dashboards) {
    const exprs = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const metrics = exprs.flatMap(selectorsOf).map(({ metric }) => metric);
    if (!metrics.some((metric) => /^(process|nodejs)_/.test(metric) || registry.has(metric))) continue;
    for (const { name, definition, allValue } of templating.list) {
      if (definition === undefined) continue;
      // "All" is then each that there is, and not whatever Prometheus scrapes.
      expect([title, name, allValue]).toEqual([title, name, undefined]);
      const asked = selectorsOf(definition).map(({ metric }) => metric);
      expect([title, name, asked.filter((metric) => registry.has(metric))]).toEqual([title, name, []]);
    }
  }
  const counted = dashboards.flatMap(({ panels }) => panels.filter(({ title }) => title === "Gates"));
  expect(counted.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => selectorsOf(expr)))).toEqual([
    expect.objectContaining({ metric: "keyward_config_last_reload_successful" }),
  ]);
});

test("the panels of a dashboard have ids of their own, lie in the grid and beside each other", () => {
  for (const { title, panels, uid } of dashboards) {
    expect(uid).toMatch(/^keyward-[a-z]+$/);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { gridPos: a, title: name } of panels) {
      expect([title, name, a.x + a.w <= 24]).toEqual([title, name, true]);
      const over = panels.filter(
        ({ gridPos: b }) =>
          b !== a && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
      );
      expect([title, name, over.map((panel) => panel.title)]).toEqual([title, name, []]);
    }
  }
});
