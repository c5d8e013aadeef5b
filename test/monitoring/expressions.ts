/**
 * Every PromQL expression that the project ships: of its rule files and of its dashboards, with
 * Grafana's variables filled in. Knows where they lie and nothing of what they ask.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { projectRoot } from "../support/source-files.ts";

export interface Expression {
  /** File and rule or panel. */
  readonly where: string;
  readonly expr: string;
}

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly (Panel & {
    readonly id: number;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  })[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly definition?: string;
      readonly allValue?: string;
    }[];
  };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
}

const files = join(projectRoot, "helm/keyward/files");

function filesOf(folder: string, end: string): readonly string[] {
  return readdirSync(join(files, folder))
    .filter((name) => name.endsWith(end))
    .map((name) => join(files, folder, name));
}

export const ruleFiles: readonly string[] = filesOf("rules", ".yaml");

export const rules: readonly Rule[] = ruleFiles.flatMap((file) => {
  const { groups } = parse(readFileSync(file, "utf8")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
});

export const dashboards: readonly Dashboard[] = filesOf("dashboards", ".json").map(
  (file) => JSON.parse(readFileSync(file, "utf8")) as Dashboard,
);

/** As Grafana would send it with "All" chosen everywhere. */
function filledIn(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "10s")
    .replaceAll("$__range", "1m")
    .replaceAll(/\$[a-z_]+/g, ".*");
}

export const expressions: readonly Expression[] = [
  ...rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? "", expr })),
  ...dashboards.flatMap(({ title, panels, annotations }) => [
    ...panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({
        where: `${title}: ${panel.title}`,
        expr: filledIn(expr),
      })),
    ),
    ...annotations.list.flatMap(({ name, expr }) =>
      expr === undefined ? [] : [{ where: `${title}: ${name}`, expr: filledIn(expr) }],
    ),
  ]),
];

/** What the expression selects: metric names with the labels that it asks of them. */
export function selectorsOf(
  expr: string,
): readonly { readonly metric: string; readonly labels: readonly string[] }[] {
  return [...expr.matchAll(/\b((?:keyward|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = "", matchers = ""]) => ({
      metric,
      labels: [...matchers.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
    }),
  );
}
