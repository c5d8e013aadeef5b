/** `upstreams`: the memory backends behind the gate. */
import { z } from "zod";
import { ownHeaderName } from "./header-name.ts";
import { duration, evenIfFaulty, filePath, integer, line, optionFacts } from "./option.ts";
import { clientTls } from "./tls-section.ts";

const upstreamUrl = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const fault = faultOfUrl(text);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  })
  .describe("Where the backend listens: http://host:port, https://host:port or unix:/absolute/path.");
optionFacts.add(upstreamUrl, { type: "URL" });

/** A path here would be joined to the request's, so that what was authorised is not what is sent. */
function faultOfUrl(text: string): string | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (!path.startsWith("/") || path.startsWith("//")) return "a unix socket is written unix:/absolute/path";
    // sun_path holds 108 bytes with the closing NUL (unix(7)).
    return Buffer.byteLength(path) > 107 ? "a unix socket path has at most 107 bytes" : undefined;
  }
  if (!/^https?:\/\//i.test(text)) return "must begin with http://, https:// or unix:/";
  const url = URL.parse(text);
  if (url === null) return "is not a valid URL";
  if (url.username !== "" || url.password !== "") {
    return "must not hold a user or password; put the backend's secret under auth";
  }
  if (text.includes("?")) return "must be an origin: no query";
  if (text.includes("#")) return "must be an origin: no fragment";
  if (url.pathname !== "/") return "must be an origin: no path; the request's path is forwarded as it is";
  return undefined;
}

const auth = z
  .strictObject({
    header: ownHeaderName("Header that carries the backend's own credential."),
    scheme: line(64, "Authentication scheme before the value, such as Bearer or Token.")
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be one word such as Bearer")
      .optional(),
    value: line(
      8192,
      "The credential itself; better taken from the environment: ${BACKEND_TOKEN}.",
    ).optional(),
    value_file: filePath("File that holds the credential; instead of value.").optional(),
  })
  .superRefine((auth, context) => {
    if (auth.value === undefined && auth.value_file === undefined) {
      context.addIssue({ code: "custom", message: "needs value or value_file" });
    } else if (auth.value !== undefined && auth.value_file !== undefined) {
      context.addIssue({ code: "custom", path: ["value_file"], message: "value is given as well; keep one" });
    }
  }, evenIfFaulty)
  // The loader replaces the empty value by the file's content.
  .transform((auth) => ({ ...auth, value: auth.value ?? "" }))
  .describe("The backend's own credential, put in after the client's key was taken out.");

const tls = clientTls.describe("How the certificate of an https backend is checked. It always is.");

const timeouts = z
  .strictObject({
    connect: duration(
      { min: "10ms", max: "5m" },
      "To open a connection to the backend, TLS included.",
    ).prefault("2s"),
    headers: duration({ min: "10ms", max: "24h" }, "To the first byte of the backend's answer.").prefault(
      "60s",
    ),
    idle: duration({ min: "10ms", max: "24h" }, "Between two pieces of the backend's answer.").prefault("5m"),
    total: duration(
      { min: "10ms", max: "24h", zeroIsOff: true },
      "For the whole exchange. Off by default, so that long streams live.",
    ).prefault("0s"),
  })
  .describe("How long the backend may take.")
  .prefault({});

const upstream = z
  .strictObject({
    url: upstreamUrl,
    auth: auth.optional(),
    connections: integer(
      1,
      10_000,
      "Requests under way at the backend at once, per process, each on a connection of its own.",
    ).default(128),
    queue: integer(
      0,
      100_000,
      "How many more may wait for a connection; beyond that requests get 503. Open event streams and WebSockets count here, and keep their connections.",
    ).default(1024),
    timeouts,
    host: z
      .enum(["upstream", "client"])
      .describe("Which Host header the backend sees: its own, or the one that the client sent.")
      .default("upstream"),
    client: z
      .enum(["auto", "undici"])
      .describe(
        "What speaks HTTP to the backend: auto is the gate's own client for http:// and unix:, undici for https://.",
      )
      .default("auto"),
    tls: tls.optional(),
  })
  .superRefine((upstream, context) => {
    const hasTls = typeof upstream.tls === "object" && upstream.tls !== null;
    if (hasTls && typeof upstream.url === "string" && !/^https:/i.test(upstream.url)) {
      context.addIssue({ code: "custom", path: ["tls"], message: "needs an https:// url" });
    }
  }, evenIfFaulty);

export const UPSTREAM_NAME: RegExp = /^[a-z][a-z0-9_-]{0,62}$/;

export const upstreams = z
  .record(
    z.string().regex(UPSTREAM_NAME, "a name is 1 to 63 characters of a-z 0-9 _ - and begins with a letter"),
    upstream,
  )
  .refine((upstreams) => Object.keys(upstreams).length > 0, "needs at least one upstream")
  .refine((upstreams) => Object.keys(upstreams).length <= 1000, "at most 1000 upstreams")
  .describe("The backends, by name. Routes that name none go to `default`, or to the only one.");

/** The upstream of routes that name none; undefined when there are several and none is `default`. */
export function defaultUpstream(upstreams: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.hasOwn(upstreams, "default")) return "default";
  const [first, ...others] = Object.keys(upstreams);
  return others.length === 0 ? first : undefined;
}
