/**
 * Which rule a request falls under. Patterns are literal segments, `{name}` or `*` for one
 * segment, `**` at the end for the rest (zero or more segments). Of all rules that match, the one
 * with more literal segments wins, then the one with more single-segment wildcards, then the one
 * without `**`. Two rules of the same rank that can match the same request are a fault at load.
 *
 * Own code rather than a router library: those decode the path themselves, rank left to right and
 * accept ambiguous tables. Here the canonical bytes are matched and nothing is ever re-decoded.
 */
import type { ScopeSet } from "../keys/scope-table.ts";
import { canonicalSegment } from "./target.ts";

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] as const;
const METHOD_BIT: ReadonlyMap<string, number> = new Map(METHODS.map((method, bit) => [method, 1 << bit]));
const ALL_METHODS = (1 << METHODS.length) - 1;
const GET = 1;
const HEAD = 2;

/** Undefined for a method that no route can name; such requests are refused with 501. */
export function methodBit(method: string): number | undefined {
  return METHOD_BIT.get(method);
}

export interface Route {
  /** Label in metrics, logs and `explain`: the configured name, else the pattern. */
  readonly name: string;
  /** Position in the config. */
  readonly index: number;
  readonly pattern: string;
  readonly methods: number;
  readonly isPublic: boolean;
  /** All of these are needed; undefined when the route asks for none. */
  readonly scopes: ScopeSet | undefined;
  /** One of these is needed; undefined when the route asks for none. */
  readonly anyScope: ScopeSet | undefined;
  /** Scope names, for the challenge and `explain`. */
  readonly scopeNames: readonly string[];
}

/** A fault of the route table: where in `routes`, and what is wrong. */
export interface RouteFault {
  readonly index: number;
  readonly message: string;
}

interface Node<R extends Route> {
  readonly literals: Map<string, Node<R>>;
  single: Node<R> | undefined;
  /** Routes that end here, and routes that end here with `**`. */
  readonly exact: R[];
  readonly rest: R[];
}

const SEGMENTS_MAX = 32;

interface Pattern {
  /** Canonical literal, or undefined for a single-segment wildcard. */
  readonly segments: readonly (string | undefined)[];
  readonly isRest: boolean;
  readonly rank: number;
}

/** More literals beat fewer, then more single wildcards, then no `**`. */
function rankOf(literals: number, singles: number, isRest: boolean): number {
  return literals * 128 + singles * 2 + (isRest ? 0 : 1);
}

/** A string is why the pattern is refused. */
export function parsePattern(pattern: string): Pattern | string {
  if (!pattern.startsWith("/")) return "a path pattern starts with /";
  const parts = pattern.slice(1).split("/");
  const isRest = parts.at(-1) === "**";
  if (isRest) parts.pop();
  if (parts.length > SEGMENTS_MAX) return `a path pattern has at most ${SEGMENTS_MAX} segments`;
  const segments: (string | undefined)[] = [];
  for (const [i, part] of parts.entries()) {
    if (part === "*" || /^\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(part)) segments.push(undefined);
    else if (part === "**") return "** stands only at the end";
    else if (/[*{}]/.test(part)) return `"${part}": a wildcard is a whole segment`;
    else if (part === "" && (isRest || i < parts.length - 1)) return "an empty segment can never match";
    else {
      const literal = canonicalSegment(part);
      if (literal === undefined) return `"${part}" can never match a canonical path`;
      segments.push(literal);
    }
  }
  const singles = segments.filter((segment) => segment === undefined).length;
  return { segments, isRest, rank: rankOf(segments.length - singles, singles, isRest) };
}

export class RouteTable<R extends Route> {
  readonly #root: Node<R> = newNode();
  readonly #ranks = new Map<R, number>();
  readonly faults: RouteFault[] = [];
  readonly routes: readonly R[];

  constructor(routes: readonly R[]) {
    this.routes = routes;
    for (const route of routes) this.#insert(route);
    for (const route of routes) this.#checkShadowed(route);
  }

  /** @param path `Target.matchPath` */
  match(path: string, method: number): R | undefined {
    return this.#search(this.#root, path, 1, method, undefined);
  }

  /**
   * Depth-first over the tree, keeping the best rank. Each node is visited at most once per
   * request and the path is walked no deeper than the longest pattern, so that a path of
   * thousands of segments costs no more than a short one.
   */
  #search(node: Node<R>, path: string, start: number, method: number, best: R | undefined): R | undefined {
    let found = this.#better(best, node.rest, method);
    // `start` is one past the separator; past the end means that no segment is left.
    if (start > path.length) return this.#better(found, node.exact, method);
    if (node.literals.size === 0 && node.single === undefined) return found;
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    const segment = path.slice(start, end);
    const literal = node.literals.get(segment);
    if (literal !== undefined) found = this.#search(literal, path, end + 1, method, found);
    if (node.single !== undefined && segment !== "")
      found = this.#search(node.single, path, end + 1, method, found);
    return found;
  }

  #better(best: R | undefined, candidates: readonly R[], method: number): R | undefined {
    let found = best;
    for (const route of candidates) {
      if ((route.methods & method) === 0) continue;
      if (found === undefined || (this.#ranks.get(route) ?? 0) > (this.#ranks.get(found) ?? 0)) found = route;
    }
    return found;
  }

  #insert(route: R): void {
    const pattern = parsePattern(route.pattern);
    if (typeof pattern === "string") {
      this.faults.push({ index: route.index, message: pattern });
      return;
    }
    const rival = this.#findTie(this.#root, pattern, 0, route);
    if (rival !== undefined) {
      this.faults.push({
        index: route.index,
        message: `routes[${rival.index}] (${rival.pattern}) matches some of the same requests, and neither is more specific`,
      });
    }
    this.#ranks.set(route, pattern.rank);
    let node = this.#root;
    for (const segment of pattern.segments) node = child(node, segment);
    (pattern.isRest ? node.rest : node.exact).push(route);
  }

  /** A route already in the tree with the same rank that shares a request with this one. */
  #findTie(node: Node<R>, pattern: Pattern, depth: number, route: R): R | undefined {
    const hasRank = (other: R): boolean =>
      (other.methods & route.methods) !== 0 && this.#ranks.get(other) === pattern.rank;
    if (depth === pattern.segments.length) {
      // Equal rank means equal length here: the same number of literals and of wildcards.
      return (pattern.isRest ? node.rest : node.exact).find(hasRank);
    }
    const segment = pattern.segments[depth];
    // A wildcard takes no empty segment, so it never meets a trailing slash.
    const branches =
      segment === undefined
        ? [...node.literals].flatMap(([literal, branch]) => (literal === "" ? [] : [branch]))
        : [node.literals.get(segment)];
    if (segment !== "") branches.push(node.single);
    for (const branch of branches) {
      const tie = branch === undefined ? undefined : this.#findTie(branch, pattern, depth + 1, route);
      if (tie !== undefined) return tie;
    }
    return undefined;
  }

  /** `/a/**` says nothing when `/a`, `/a/` and `/a/*` + `/**` already take every request of its methods. */
  #checkShadowed(route: R): void {
    const pattern = parsePattern(route.pattern);
    if (typeof pattern === "string" || !pattern.isRest) return;
    let node: Node<R> | undefined = this.#root;
    for (const segment of pattern.segments)
      node = segment === undefined ? node?.single : node?.literals.get(segment);
    // No path ends before its first slash: `/**` has no shorter form to be covered.
    const bare = node === this.#root ? ALL_METHODS : methodsOf(node?.exact);
    const covered = bare & methodsOf(node?.literals.get("")?.exact) & methodsOf(node?.single?.rest);
    if ((route.methods & ~covered) === 0) {
      this.faults.push({
        index: route.index,
        message: "never matches: more specific routes take all of its requests",
      });
    }
  }
}

function newNode<R extends Route>(): Node<R> {
  return { literals: new Map(), single: undefined, exact: [], rest: [] };
}

function child<R extends Route>(node: Node<R>, segment: string | undefined): Node<R> {
  if (segment === undefined) return (node.single ??= newNode());
  const known = node.literals.get(segment);
  if (known !== undefined) return known;
  const made = newNode<R>();
  node.literals.set(segment, made);
  return made;
}

function methodsOf(routes: readonly Route[] | undefined): number {
  let mask = 0;
  for (const route of routes ?? []) mask |= route.methods;
  return mask;
}

/**
 * Bit mask of configured methods; absent means all. GET covers HEAD (RFC 9110 section 9.3.2),
 * unless `headElsewhere`: a rule with the same pattern names HEAD itself.
 */
export function methodMask(methods: readonly string[] | undefined, headElsewhere: boolean): number {
  if (methods === undefined) return ALL_METHODS;
  let mask = 0;
  for (const method of methods) mask |= METHOD_BIT.get(method) ?? 0;
  if ((mask & GET) !== 0 && !headElsewhere) mask |= HEAD;
  return mask;
}
