/** `scopes` and `delegation` of the registry: what keys may do with keys, when they call through a gate. */
import { z } from "zod";
import { environmentName, integer, optionFacts, scopeName } from "./option.ts";
import { scopes } from "./route-section.ts";

/** As the ready configs of gates have it. */
const INCLUSION = { admin: ["read", "write", "delete"] };

export const registryScopes = scopes
  .unwrap()
  .describe(
    "What a scope includes, as in the gates' config: a key that makes keys through a gate must hold what it gives away.",
  )
  .default(INCLUSION);
optionFacts.add(registryScopes, { type: "mapping" });

const scopeList = (description: string) =>
  z.array(scopeName("A scope.")).max(64).describe(description).default(["admin"]);

const environments = z
  .record(environmentName("An environment."), z.array(environmentName("An environment.")).max(32))
  .refine((environments) => Object.keys(environments).length <= 32, "at most 32 environments")
  .describe("Environments whose keys a key manages besides those of its own.")
  .default({ live: ["test"] });
optionFacts.add(environments, { type: "mapping" });

export const delegation = z
  .strictObject({
    keys: scopeList(
      "Scopes of which a key needs one to manage keys of its organization through a gate (handler: keys). [] = no key may.",
    ),
    usage: scopeList("The same for usage (handler: usage). Who may manage keys may see usage as well."),
    environments,
    max_keys: integer(
      1,
      1000,
      "Usable keys of an organization, above which none is made through gates.",
    ).default(1000),
  })
  .describe("What a key may do with the keys of its organization, when it calls through a gate.")
  .prefault({});
