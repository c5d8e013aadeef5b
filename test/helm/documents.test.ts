/** What stands beside the charts is true of them: schemas, tables of values, examples, notes. */
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { keyFormat } from "../../src/config/key-section.ts";
import { compileKeyFormat } from "../../src/keys/format.ts";
import { runChild } from "../support/child.ts";
import { launcher } from "../support/gate-process.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { projectRoot, textOf } from "../support/source-files.ts";
import { find, podsOf } from "./kubernetes.ts";
import { chart, helm, kubectl, kustomize, run, valuesFile } from "./tools.ts";

test("the schemas of values hold the configs as they are (npm run generate)", () => {
  const script = join(projectRoot, ".ci/chart-schemas.ts");
  expect(() => execFileSync(process.execPath, [script])).not.toThrow();
});

type Tree = Readonly<Record<string, unknown>>;

/** `gate.drain.delaySeconds` and so on; an empty mapping or a list is a value. */
function pathsOf(values: Tree, above = ""): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const isGroup =
      typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
    return isGroup ? pathsOf(value as Tree, `${above}${name}.`) : [above + name];
  });
}

/** Full paths of a table's first column, in which `.port` goes on from the entry before it. */
function documented(page: string): ReadonlySet<string> {
  const table = page.slice(page.indexOf("\n## Values\n"));
  const rows = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = ""]) => cell.match(/[\w.]+/g) ?? []);
  return new Set(
    rows.flatMap((names) => {
      const [first = ""] = names;
      const group = first.slice(0, first.lastIndexOf("."));
      return names.map((name) => (name.startsWith(".") ? group + name : name));
    }),
  );
}

test.for(["keyward", "keyward-sidecar"])("the table of values in helm/%s/README.md is complete", (name) => {
  const values = pathsOf(parse(textOf(`helm/${name}/values.yaml`)) as Tree);
  const known = documented(textOf(`helm/${name}/README.md`));
  const isKnown = (path: string): boolean => {
    for (let end = path.length; end > 0; end = path.lastIndexOf(".", end - 1)) {
      if (known.has(path.slice(0, end))) return true;
    }
    return false;
  };
  expect(values.length).toBeGreaterThan(20);
  expect(values.filter((path) => !isKnown(path))).toEqual([]);
  const groups = new Set(
    values.flatMap((path) => path.split(".").map((_, at, all) => all.slice(0, at + 1).join("."))),
  );
  expect([...known].filter((path) => /^[a-z]\w*(\.\w+)*$/.test(path) && !groups.has(path))).toEqual([]);
});

test.for([
  ["helm/keyward-sidecar/README.md", "app/templates/app.yaml"],
  ["helm/keyward-sidecar/README.md", "app/values.yaml"],
  ["helm/keyward-sidecar/README.md", "app/Chart.yaml"],
  ["helm/kustomize/README.md", "kustomize/plain/kustomization.yaml"],
  ["helm/kustomize/README.md", "kustomize/plain/keyward.yaml"],
] as const)("the example in %s is the one that is tested: %s", ([page, fixture]) => {
  expect(textOf(page)).toContain(`\n${textOf(`test/helm/fixtures/${fixture}`)}\`\`\``);
});

test.skipIf(kubectl === undefined)("the README's kustomization puts the gate into a Deployment", async () => {
  await using folder = await makeTempFolder();
  cpSync(join(projectRoot, "helm/kustomize"), folder.file("keyward/helm/kustomize"), { recursive: true });
  const [, kustomization = ""] = /```yaml\n(# kustomization\.yaml\n[^]+?)```/.exec(textOf("README.md")) ?? [];
  const [deployment = "", service = ""] = textOf("test/helm/fixtures/kustomize/plain/app.yaml").split(
    "---\n",
  );
  await folder.write("kustomization.yaml", kustomization);
  await folder.write("deployment.yaml", deployment);
  await folder.write("service.yaml", service);
  await folder.write("keyward.yaml", textOf("test/helm/fixtures/kustomize/plain/keyward.yaml"));
  const objects = kustomize(folder.path);
  expect(podsOf(objects)[0]?.spec.initContainers?.[0]).toMatchObject({
    name: "keyward",
    restartPolicy: "Always",
  });
  expect(find(objects, "ConfigMap").metadata.name).toBe("keyward");
});

test("the key that helm/keyward/README.md makes is one that its values let in", async () => {
  await using folder = await makeTempFolder();
  const page = textOf("helm/keyward/README.md");
  const [, call = ""] = /^keyward (keys create .*)$/m.exec(page) ?? [];
  const made = await runChild(process.execPath, [launcher, ...call.split(" ")], { cwd: folder.path });
  const [, text = ""] = /```yaml\n(# values\.yaml\n[^]+?)```/.exec(page) ?? [];
  const values = parse(text) as Record<"gate" | "registry", { config: { key_format: object } }>;
  const format = compileKeyFormat(keyFormat.parse(values.gate.config.key_format));
  expect(format.check(made.stdout.trim()), made.stderr).toBeUndefined();
  expect(values.registry.config.key_format).toEqual(values.gate.config.key_format);
});

describe.skipIf(helm === undefined)("the chart", () => {
  test("installs with the values that its README shows", async () => {
    await using folder = await makeTempFolder();
    const [, values = ""] =
      /```yaml\n(# values\.yaml\n[^]+?)```/.exec(textOf("helm/keyward/README.md")) ?? [];
    const file = await folder.write("values.yaml", values);
    expect(run(helm, ["lint", "--strict", chart, "--values", file])).toMatchObject({ code: 0 });
  });

  const notes = (install: string, ...settings: readonly string[]): string => {
    const sets = settings.flatMap((setting) => ["--set-json", setting]);
    const args = ["install", "demo", chart, "--dry-run=client", "--values", valuesFile(install), ...sets];
    const { code, stdout, stderr } = run(helm, args);
    if (code !== 0) throw new Error(stderr);
    return stdout.slice(stdout.indexOf("\nNOTES:"));
  };

  test("says after the installation how to go on, and what is open", () => {
    const text = notes("sqlite");
    expect(text).toContain("exec deploy/demo-keyward-registry -- keyward registry init");
    expect(text).toContain("WARNING: whoever can reach the backend directly needs no key.");
    expect(text).not.toContain("around in circles");
    expect(notes("postgres")).not.toContain("WARNING");
  });

  test("warns of a gate that forwards to itself", () => {
    const itself = 'gate.config.upstreams={"default":{"url":"http://demo-keyward.default:80"}}';
    expect(notes("gate", itself)).toContain("requests would go around in circles");
  });

  test("is packaged with its rules and dashboards, and without what only its tests need", async () => {
    await using folder = await makeTempFolder();
    expect(run(helm, ["package", chart, "--destination", folder.path])).toMatchObject({ code: 0 });
    const version = (parse(textOf("helm/keyward/Chart.yaml")) as { version: string }).version;
    const archive = folder.file(`keyward-${version}.tgz`);
    const files = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).split("\n");
    expect(files).toContain("keyward/values.schema.json");
    expect(files.filter((file) => file.startsWith("keyward/ci/"))).toEqual([]);
  });
});
