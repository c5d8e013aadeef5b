/** `identity`, `errors`, `cors`, `headers`: what the upstream and the client are told. */
import { z } from "zod";
import { denialCodes } from "../errors/catalogue.ts";
import { errorFormat } from "./error-template.ts";
import { foldHeaderName, headerName, ownHeaderName } from "./header-name.ts";
import { duration, evenIfFaulty, flag, line, optionFacts } from "./option.ts";

function identityHeader(what: string): z.ZodNullable<z.ZodString> {
  const schema = ownHeaderName("A header.").nullable().describe(`Header with the ${what}, or null for none.`);
  optionFacts.add(schema, { type: "header name or null" });
  return schema;
}

export const identity = z
  .strictObject({
    organization: identityHeader("id of the key's organization").default("X-Org-Id"),
    project: identityHeader("id of the key's project").default("X-Project-Id"),
    environment: identityHeader("environment of the key").default("X-Environment"),
    key: identityHeader("public id of the key").default("X-Key-Id"),
    folders: identityHeader("folder ids of the key, separated by commas").default(null),
    scopes: identityHeader("scopes of the key, separated by spaces").default(null),
  })
  .superRefine((identity, context) => {
    const seen = new Set<string>();
    for (const [what, name] of Object.entries(identity)) {
      if (typeof name !== "string") continue;
      const folded = foldHeaderName(name);
      if (seen.has(folded)) {
        context.addIssue({
          code: "custom",
          path: [what],
          message: "another part of the identity has this header",
        });
      }
      seen.add(folded);
    }
  }, evenIfFaulty)
  .describe("Headers that tell the upstream who is calling. A client's own are always removed.")
  .prefault({});

export const errors = z
  .strictObject({
    format: errorFormat.prefault("problem"),
    reveal: flag(
      "Tell clients whether a key is unknown, revoked or expired, instead of the same 401 for all.",
    ).default(false),
    realm: line(128, "Realm of the WWW-Authenticate header.")
      .regex(/^[ !#-[\]-~]*$/, "must be plain ASCII without quotes and backslashes")
      .default("keyward"),
    messages: z
      .partialRecord(
        z.enum(denialCodes as readonly [string, ...string[]]),
        line(1000, "Text for the client."),
      )
      .describe("Own texts for the `detail` of refusals, by their code.")
      .default({}),
  })
  .describe("What a refused client is told.")
  .prefault({});

const origin = z
  .string()
  .refine(isOrigin, 'must be "*" or an exact origin such as https://app.example.com')
  .describe("An origin.");

function isOrigin(text: string): boolean {
  if (text === "*") return true;
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text;
}

const corsMethod = z
  .string()
  .regex(/^[A-Za-z]{1,32}$/, "must be a method such as GET")
  .toUpperCase();

export const cors = z
  .strictObject({
    origins: z
      .array(origin)
      .min(1, "needs at least one origin")
      .max(256)
      .describe("Origins whose pages may call: exact ones, or * for all."),
    methods: z
      .array(corsMethod)
      .max(32)
      .describe("Methods that pages may use.")
      .default(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    headers: z
      .array(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, "must be a header name"))
      .max(128)
      .describe("Request headers that pages may send.")
      .default(["authorization", "content-type", "x-api-key"]),
    expose: z
      .array(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, "must be a header name"))
      .max(128)
      .describe("Response headers that pages may read.")
      .default([]),
    credentials: flag("Pages may send cookies along.").default(false),
    max_age: duration(
      { min: "0s", max: "24h" },
      "How long a browser may remember the answer to a preflight.",
    ).prefault("10m"),
  })
  .superRefine((cors, context) => {
    if (cors.credentials && Array.isArray(cors.origins) && cors.origins.includes("*")) {
      // Fetch standard, CORS protocol and credentials: browsers refuse the pair.
      const message = "cannot be true while origins holds *: browsers refuse that";
      context.addIssue({ code: "custom", path: ["credentials"], message });
    }
  }, evenIfFaulty)
  .describe("Answers to browsers. Without it preflight requests are handled as any other request.");

export const headers = z
  .strictObject({
    remove: z
      .array(headerName("A header."))
      .max(128)
      .describe("Further request headers that never reach the upstream.")
      .default([]),
    keep: z
      .array(headerName("A header."))
      .max(128)
      .describe(
        "Request headers that would be removed and shall pass, such as authorization when no key stands there.",
      )
      .default([]),
  })
  .superRefine((headers, context) => {
    const removed = new Set(headers.remove.map(foldHeaderName));
    for (const [i, name] of headers.keep.entries()) {
      if (!removed.has(foldHeaderName(name))) continue;
      context.addIssue({ code: "custom", path: ["keep", i], message: "is listed under remove as well" });
    }
  })
  .describe("Exceptions to what is forwarded.")
  .prefault({});
