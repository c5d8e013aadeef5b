/**
 * The rule that a forgiving server could see in a path. Express, Rails and many others take
 * `/v1/Admin` and `/v1/admin/` for `/v1/admin`; a broader rule that matches the path as it stands
 * would then answer for what a narrower one guards (Caddy CVE-2026-27587, CVE-2026-27588). Whether the
 * server behind is such a one is not known here, so the caller has to satisfy both.
 */
import { type Route, RouteTable } from "./routes.ts";

interface Loose<R extends Route> extends Route {
  readonly original: R;
}

export class Lookalikes<R extends Route> {
  readonly #table: RouteTable<Loose<R>>;
  /** No rule of the table is written in a way that would not matter: for such paths both tables are one. */
  readonly #isLoose: boolean;

  constructor(routes: readonly R[]) {
    // Rules that differ in nothing else are ties now: whoever wrote both knows a server that tells them apart.
    this.#table = new RouteTable(
      routes.map((route) => ({ ...route, pattern: loosen(route.pattern), original: route })),
    );
    this.#isLoose = routes.every(({ pattern }) => loosen(pattern) === pattern);
  }

  /**
   * @param route what matches the path as it stands
   * @param path `Target.matchPath`
   * @returns what would match it if letter case and a slash at the end meant nothing, when that is
   *   another rule and not one that lets everybody in
   */
  guardOf(route: R, path: string, method: number): R | undefined {
    const loose = loosen(path);
    // Nearly every request ends here.
    if (this.#isLoose && loose === path) return undefined;
    const found = this.#table.match(loose, method);
    if (found?.isPublic !== false) return undefined;
    return found.pattern === loosen(route.pattern) ? undefined : found.original;
  }
}

const TIGHT = /[A-Z]|.\/$/;

/** Escapes keep their capitals: routes know no others. */
function loosen(path: string): string {
  if (!TIGHT.test(path)) return path;
  const bare = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  return bare.replace(/%[0-9A-F]{2}|[A-Z]/g, (found) => (found.length === 1 ? found.toLowerCase() : found));
}
