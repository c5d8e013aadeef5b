/**
 * `scopes` and `routes`: which call needs which scope and where it goes. Patterns are only
 * bounded here; the route table compiles them and knows ties and shadows.
 */
import { z } from "zod";
import {
  environmentName,
  evenIfFaulty,
  flag,
  line,
  network,
  optionFacts,
  scopeName,
  size,
} from "./option.ts";
import { UPSTREAM_NAME } from "./upstream-section.ts";

const methodNames = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] as const;

const method = z.preprocess(
  (name) => (typeof name === "string" ? name.toUpperCase() : name),
  z.enum(methodNames),
);

const upstreamChoice = z
  .union([
    z.string().regex(UPSTREAM_NAME, "must be the name of an upstream"),
    z
      .record(
        z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/, "must be an environment"),
        z.string().regex(UPSTREAM_NAME, "must be the name of an upstream"),
      )
      .refine((choice) => Object.keys(choice).length > 0, "needs at least one environment"),
  ])
  .describe("Backend of this route: a name, or the name for each environment of the key.");
optionFacts.add(upstreamChoice, { type: "name or mapping" });

const route = z
  .strictObject({
    name: line(64, "Label in metrics and logs. Without it the path is.").optional(),
    path: line(2048, "Pattern: literal segments, {name} or * for one segment, ** at the end for the rest."),
    methods: z
      .array(method)
      .min(1, "needs at least one method; leave it out for all")
      .max(methodNames.length)
      .describe("Methods of this route. GET covers HEAD. Without it all methods.")
      .optional(),
    public: flag("Anybody may call; no key is looked at and no identity is sent.").default(false),
    scopes: z
      .array(scopeName("A scope that the key must hold."))
      .min(1, "needs at least one scope; leave it out to ask for none")
      .max(64)
      .describe("Scopes that the key must hold, all of them.")
      .optional(),
    any_scope: z
      .array(scopeName("A scope that would be enough."))
      .min(1, "needs at least one scope; leave it out to ask for none")
      .max(64)
      .describe("Scopes of which the key must hold one.")
      .optional(),
    environments: z
      .array(environmentName("An environment."))
      .min(1, "needs at least one environment; leave it out for all")
      .max(64)
      .describe("Environments whose keys may call. Without it all.")
      .optional(),
    networks: z
      .array(network("A network."))
      .min(1, "needs at least one network; leave it out for all")
      .max(256)
      .describe("Client addresses that may call. Without it all.")
      .optional(),
    upstream: upstreamChoice.optional(),
    handler: z
      .enum(["whoami", "keys", "usage"])
      .describe(
        "Answered by the gate itself: what the key resolves to; keys of the caller's organization, or their usage, " +
          "which need keys.registry (501 without). Which key is meant stands in place of `**`, or from `{id}` or `{key_id}` on.",
      )
      .optional(),
    max_body: size(
      { min: "0", max: "1TiB" },
      "Largest request body on this route; instead of bounds.body.",
    ).optional(),
  })
  .superRefine((route, context) => {
    const refuse = (option: string, message: string): void => {
      context.addIssue({ code: "custom", path: [option], message });
    };
    if (route.public) {
      for (const option of ["scopes", "any_scope", "environments", "networks", "handler"] as const) {
        if (route[option] !== undefined)
          refuse(option, "cannot stand on a public route, where no key is looked at");
      }
      if (typeof route.upstream === "object") {
        refuse("upstream", "cannot depend on the environment on a public route, where no key is looked at");
      }
    }
    if (route.handler !== undefined && route.upstream !== undefined) {
      refuse("upstream", "cannot stand beside handler: the gate answers itself");
    }
  }, evenIfFaulty);

export const routes = z
  .array(route)
  .min(1, "needs at least one route: what no route names is refused")
  .max(10_000)
  .describe("What may be called. The most specific route wins; what none matches is refused with 403.");

export const scopes = z
  .record(
    scopeName("A scope.").refine((name) => name !== "*", "* is everything already"),
    z.array(scopeName("A scope that it includes.")).max(256),
  )
  .refine((scopes) => Object.keys(scopes).length <= 1000, "at most 1000 scopes")
  .describe("What a scope includes, such as `admin: [read, write]`. Inclusion is followed.")
  .default({});
optionFacts.add(scopes, { type: "mapping" });
