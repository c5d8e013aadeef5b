/**
 * The Prometheus text form, in pieces: what a family is, how a series is named, how families of
 * several processes are summed. Knows nothing of which metrics exist.
 *
 * A series is named once, as the finished text `name{label="value"}`, and that text is its identity.
 * prom-client keys series by an unescaped join of labels, in which `{a:"x,b:y"}` and `{a:"x",b:"y"}`
 * can collide, and hashes them again at each increment; here neither can happen.
 */

/** One line of the exposition: the full series name and its value. */
export type Sample = readonly [series: string, value: number];

/** How the values of several processes become one. */
export type Merge = "sum" | "max" | "min";

export interface FamilyKind {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Label names, without the `le` of a histogram: for the reference page and its test. */
  readonly labels: readonly string[];
  readonly merge: Merge;
  /** A gauge whose value still holds when its process has ended. */
  readonly outlivesProcess?: true;
}

/** A family with its current values. Plain data: it can be sent to another process. */
export interface Family {
  readonly name: string;
  readonly samples: readonly Sample[];
}

export type Labels = Readonly<Record<string, string>>;

/** `name{a="x",b="y"}`, or the bare name when there are no labels. */
export function seriesName(name: string, labels: Labels = {}): string {
  const written = labelText(labels);
  return written === "" ? name : `${name}{${written}}`;
}

/** `a="x",b="y"`: the part that the series of one key or route share. */
export function labelText(labels: Labels): string {
  let text = "";
  for (const name in labels) {
    text += `${text === "" ? "" : ","}${name}="${escapeLabelValue(labels[name] ?? "")}"`;
  }
  return text;
}

function escapeLabelValue(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/**
 * The families of several processes as one: per series the sum, the greatest or the least value, as
 * its kind says. Feed it `retired()` of a worker that ended, and the sums stay monotonic.
 */
export function mergeFamilies(
  kinds: readonly FamilyKind[],
  sources: readonly (readonly Family[])[],
): Family[] {
  return kinds.map(({ name, merge }) => {
    const merged = new Map<string, number>();
    for (const source of sources) {
      const family = source.find((candidate) => candidate.name === name);
      for (const [series, value] of family?.samples ?? []) {
        const before = merged.get(series);
        merged.set(series, before === undefined ? value : combined(merge, before, value));
      }
    }
    return { name, samples: [...merged] };
  });
}

function combined(merge: Merge, a: number, b: number): number {
  if (merge === "sum") return a + b;
  return merge === "max" ? Math.max(a, b) : Math.min(a, b);
}

/** What outlives a process: its counts, but of its gauges only those that say so. */
export function retired(kinds: readonly FamilyKind[], families: readonly Family[]): Family[] {
  const gone = new Set(
    kinds.filter((kind) => kind.type === "gauge" && kind.outlivesProcess !== true).map((kind) => kind.name),
  );
  return families.filter((family) => !gone.has(family.name));
}
