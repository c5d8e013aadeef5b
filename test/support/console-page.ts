/**
 * What the console's page does over HTTP, as a browser would send it: the cookie, where the request
 * comes from, and the header that only the page sets. A test takes any of them away.
 */
import type { ConsoleFile } from "../../src/registry/console/assets.ts";
import type { ConsoleOptions } from "../../src/registry/console/console.ts";
import { type Answer, ask } from "./http-client.ts";

/** In place of the real ones, which a bundler makes. */
export const consoleFiles: readonly ConsoleFile[] = [
  { path: "index.html", contentType: "text/html; charset=utf-8", bytes: Buffer.from("<!doctype html>\n") },
  {
    path: "assets/console-0123456789ab.js",
    contentType: "text/javascript; charset=utf-8",
    bytes: Buffer.from(`"${"use strict ".repeat(500)}"\n`),
  },
];

export const consoleOptions: ConsoleOptions = {
  isInsecure: false,
  gateUrl: undefined,
  version: "1.2.3",
  load: () => Promise.resolve(consoleFiles),
};

export interface PageCall {
  readonly json?: unknown;
  /** Undefined takes one of the page's own away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

const PAGE_HEADERS = { "sec-fetch-site": "same-origin", "x-keyward-console": "1" };

export class ConsolePage {
  readonly #url: string;
  /** `name=value`, as the browser keeps it. */
  cookie: string | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  static async signedIn(url: string, token: string): Promise<ConsolePage> {
    const page = new ConsolePage(url);
    const answer = await page.signIn(token);
    if (answer.status !== 200) throw new Error(`not signed in: ${answer.text}`);
    return page;
  }

  async signIn(token: string, headers: PageCall["headers"] = {}): Promise<Answer> {
    return await this.send("POST /console/session", { json: { token }, headers });
  }

  /** `GET /v1/api-keys`: a call of the management API through the console. */
  async call(request: string, call: PageCall = {}): Promise<Answer> {
    return await this.send(request.replace(" /", " /console/api/"), call);
  }

  /** Any path of the registry. */
  async send(request: string, { json, headers = {} }: PageCall = {}): Promise<Answer> {
    const [method = "GET", path = "/"] = request.split(" ");
    const body = json === undefined ? undefined : JSON.stringify(json);
    const all: Record<string, string | undefined> = {
      ...PAGE_HEADERS,
      ...(this.cookie !== undefined && { cookie: this.cookie }),
      ...(body !== undefined && {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
      }),
      ...headers,
    };
    const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const answer = await ask(this.#url + path, {
      method,
      headers: Object.fromEntries(sent),
      ...(body !== undefined && { body }),
    });
    const [set] = answer.headers["set-cookie"] ?? [];
    if (set !== undefined) this.cookie = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
    return answer;
  }
}

/** `403 cross_site`: the status, and the problem's code where there is one. */
export function codeOf(answer: Answer): string {
  const isProblem = (answer.headers["content-type"] ?? "").startsWith("application/problem+json");
  return isProblem ? `${answer.status} ${(answer.json() as { code: string }).code}` : String(answer.status);
}
