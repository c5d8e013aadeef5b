/** `keys.registry`: where a gate finds its key registry, and how it follows it. */
import { z } from "zod";
import { duration, evenIfFaulty, filePath, line, optionFacts } from "./option.ts";
import { clientTls } from "./tls-section.ts";

const registryUrl = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const fault = faultOfUrl(text);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  })
  .describe(
    "Base URL of the registry; the calls of the protocol are put behind it. Keyward's own: http://host:8090.",
  );
optionFacts.add(registryUrl, { type: "URL" });

function faultOfUrl(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) return "must be an http:// or https:// URL";
  const url = URL.parse(text);
  if (url === null) return "is not a valid URL";
  if (url.username !== "" || url.password !== "") return "must not hold a user or password; use token";
  if (text.includes("?") || text.includes("#")) return "must have no query and no fragment";
  return undefined;
}

const gateName = line(100, "Name of this gate in the registry. Without it the host's name.")
  .regex(/^[A-Za-z0-9._-]+$/, "must be characters of A-Z a-z 0-9 . _ -")
  .optional();

const timeouts = z
  .strictObject({
    connect: duration({ min: "10ms", max: "1m" }, "To open a connection, TLS included.").prefault("2s"),
    request: duration(
      { min: "10ms", max: "5m" },
      "To the head of an answer, and between two pieces of it.",
    ).prefault("10s"),
    lookup: duration({ min: "10ms", max: "1m" }, "For a whole look-up; a request waits for it.").prefault(
      "2s",
    ),
  })
  .describe("How long the registry may take.")
  .prefault({});

const usage = z
  .strictObject({
    interval: duration({ min: "1s", max: "1h" }, "How often usage is sent.").prefault("10s"),
    spool_file: filePath(
      "Where usage that is not acknowledged yet is kept every second, so that a gate that is killed loses none.",
    ).optional(),
  })
  .describe("What each key uses, told to the registry.")
  .prefault({});

const tls = clientTls.describe("How the certificate of an https registry is checked. It always is.");

export const keyRegistry = z
  .strictObject({
    url: registryUrl,
    token: line(8192, "Token that the gate shows to the registry.").optional(),
    token_file: filePath("File that holds the token; instead of token.").optional(),
    mode: z
      .enum(["sync", "lookup", "auto"])
      .describe(
        "sync holds all keys and follows their changes; lookup asks about each key when it is first used; " +
          "auto is sync up to cache.max_keys keys.",
      )
      .default("sync"),
    gate: gateName,
    snapshot_file: filePath(
      "Where the last good snapshot is kept (digests only), so that a gate starts while the registry is down.",
    ).optional(),
    removal_hold: duration(
      { min: "0s", max: "24h" },
      "How long keys serve on that a snapshot lacks, when they are more than half of the active ones; 0s: not at all.",
    ).prefault("5m"),
    heartbeat: duration(
      { min: "100ms", max: "1m" },
      "Longest time between two heartbeats of the registry; silence of 2.5 times as much counts as down.",
    ).prefault("10s"),
    poll: duration(
      { min: "100ms", max: "1h" },
      "How often a registry is asked that can neither stream nor wait, such as a file on a web server.",
    ).prefault("10s"),
    timeouts,
    usage,
    tls: tls.optional(),
  })
  .superRefine((registry, context) => {
    if (registry.token === undefined || registry.token_file === undefined) return;
    context.addIssue({ code: "custom", path: ["token_file"], message: "token is given as well; keep one" });
  }, evenIfFaulty)
  .describe("A key registry: any HTTP server that speaks the key registry protocol v1.");
