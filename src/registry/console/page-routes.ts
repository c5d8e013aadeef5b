/** The console's one page and its files, with the headers that keep it to itself. Nothing here needs a session. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sendProblem } from "../mount.ts";
import { Problem } from "../problem.ts";
import { type Asset, codingFor, type ConsoleAssets } from "./assets.ts";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** Copying a new key is all that the page wants of the browser. */
const PERMISSIONS = [
  "clipboard-write=(self)",
  ...["camera", "display-capture", "geolocation", "microphone", "payment", "usb"].map((name) => `${name}=()`),
].join(", ");

const PAGE_HEADERS = {
  "content-security-policy": POLICY,
  "permissions-policy": PERMISSIONS,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

const IMMUTABLE = "public, max-age=31536000, immutable";
const RETRY_SECONDS = 5;

export interface PageParts {
  readonly assets: ConsoleAssets;
  readonly onFault: (message: string, error: unknown) => void;
}

export function mountPages(app: FastifyInstance, { assets, onFault }: PageParts): void {
  const method = ["GET", "HEAD"];
  const serve = async (
    path: string,
    headers: Readonly<Record<string, string>>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    let asset: Asset | undefined;
    try {
      asset = await assets.find(path);
    } catch (error) {
      onFault("the console's files cannot be had", error);
      return sendProblem(
        request,
        reply,
        new Problem("console_unavailable", { retryAfterSeconds: RETRY_SECONDS }),
      );
    }
    if (asset === undefined) return sendProblem(request, reply, new Problem("not_found"));
    const coding = codingFor(request.headers["accept-encoding"]);
    reply.headers(headers).header("vary", "Accept-Encoding").type(asset.contentType);
    if (coding !== "identity") reply.header("content-encoding", coding);
    return reply.send(asset.bodies[coding]);
  };
  // Relative, as everything: a proxy may have taken a prefix off the path.
  app.route({
    method,
    url: "/console",
    config: { path: "/console" },
    handler: (_request, reply) => reply.code(308).header("location", "console/").send(),
  });
  app.route({
    method,
    url: "/console/",
    config: { path: "/console/" },
    handler: (request, reply) => serve("index.html", PAGE_HEADERS, request, reply),
  });
  app.route<{ Params: { name: string } }>({
    method,
    url: "/console/assets/:name",
    config: { path: "/console/assets/{name}" },
    handler: (request, reply) =>
      serve(`assets/${request.params.name}`, { "cache-control": IMMUTABLE }, request, reply),
  });
}
