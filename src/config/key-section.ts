/** `credentials`, `key_format`, `keys`, `cache`: where a key stands in a request and where keys live. */
import { z } from "zod";
import { foldHeaderName, ownHeaderName } from "./header-name.ts";
import { keyRegistry } from "./key-registry.ts";
import { duration, evenIfFaulty, filePath, flag, integer, optionFacts } from "./option.ts";

const scheme = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, "must be one word such as Bearer")
  .describe("Authentication scheme; case does not count.");

const credentialPlace = z.strictObject({
  header: ownHeaderName("Header that may hold the API key.").toLowerCase(),
  schemes: z
    .array(scheme)
    .min(1, "needs at least one scheme; leave it out for a bare key")
    .max(16)
    .describe("Schemes that may stand before the key. Without them the whole value is the key.")
    .optional(),
});

/** Sixteen: the places seen in a request are one small bit set. */
const CREDENTIAL_PLACES_MAX = 16;

export const credentials = z
  .array(credentialPlace)
  .min(1, "needs at least one place")
  .max(CREDENTIAL_PLACES_MAX)
  .superRefine((places, context) => {
    const seen = new Set<string>();
    for (const [i, place] of places.entries()) {
      const name = foldHeaderName(place.header);
      if (seen.has(name)) {
        context.addIssue({ code: "custom", path: [i, "header"], message: "this header is listed already" });
      }
      seen.add(name);
    }
  })
  .describe(
    "Where an API key may stand. All places are looked at together, two keys are refused, all are removed.",
  )
  .prefault([{ header: "authorization", schemes: ["Bearer"] }, { header: "x-api-key" }]);

const prefix = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,15}$/, "must be 1 to 16 characters of a-z 0-9, beginning with a letter");

const prefixes = z
  .union([prefix, z.array(prefix).min(1).max(16)])
  .describe("What keys begin with, such as `mem` in mem_live_…. The first one is used for new keys.");
optionFacts.add(prefixes, { type: "text or list", bound: "1 to 16 characters each" });

export const keyFormat = z
  .strictObject({
    prefix: prefixes.optional(),
    environments: z
      .array(
        z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "must be 1 to 32 characters of a-z 0-9 -"),
      )
      .max(32)
      .describe("Environments that stand in a key after the prefix, such as `live` in mem_live_….")
      .default([]),
    checksum: flag(
      "Keys end with a checksum of six characters, so that mistyped ones are refused at once.",
    ).default(false),
  })
  .describe(
    "What keys look like. Anything else is refused before any look-up. Without it any token of 16 to 256 characters may be a key.",
  );

export const keys = z
  .strictObject({
    file: filePath("YAML file of keys.").optional(),
    registry: keyRegistry.optional(),
  })
  .superRefine((keys, context) => {
    if (keys.file === undefined && keys.registry === undefined) {
      context.addIssue({ code: "custom", message: "needs file or registry" });
    } else if (keys.file !== undefined && keys.registry !== undefined) {
      context.addIssue({ code: "custom", path: ["registry"], message: "file is given as well; keep one" });
    }
  }, evenIfFaulty)
  .describe("Where keys live.");

export const cache = z
  .strictObject({
    max_keys: integer(1, 10_000_000, "Keys held in memory, ready to decide.").default(100_000),
    ttl: duration({ min: "1s", max: "24h" }, "How long a looked-up key is taken as fresh.").prefault("60s"),
    negative_ttl: duration(
      { min: "0s", max: "1h" },
      "How long an unknown key is remembered as unknown.",
    ).prefault("5s"),
    max_negative: integer(0, 10_000_000, "Unknown keys remembered.").default(10_000),
    max_stale: duration(
      { min: "0s", max: "30d" },
      "How long known keys serve on while their source is down.",
    ).prefault("10m"),
  })
  .describe("The keys held in memory.")
  .prefault({});
