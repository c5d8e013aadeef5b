/**
 * What no section can see alone: names that another section must know, headers with two masters.
 * Each check runs when the sections that it reads are free of faults, so that a typing mistake
 * elsewhere hides nothing.
 */
import type { z } from "zod";
import { nearestWord } from "../base/edit-distance.ts";
import { foldHeaderName } from "./header-name.ts";
import { isMapping } from "./option.ts";
import type { GateConfig } from "./schema.ts";
import { defaultUpstream } from "./upstream-section.ts";

type Path = (string | number)[];

/** Notes a fault of the part of the config at `path`. */
type Refuse = (path: Path, message: string) => void;

interface CrossCheck {
  readonly reads: readonly (keyof GateConfig)[];
  readonly run: (config: GateConfig, refuse: Refuse) => void;
}

export const crossChecks: readonly CrossCheck[] = [
  { reads: ["listen", "ops"], run: checkPorts },
  { reads: ["upstreams", "routes"], run: checkRouteUpstreams },
  { reads: ["upstreams", "ops"], run: checkProbeUpstreams },
  { reads: ["credentials", "identity"], run: checkIdentityHeaders },
  { reads: ["credentials", "identity", "upstreams"], run: checkBackendHeaders },
  { reads: ["credentials", "identity", "headers"], run: checkKeptHeaders },
];

/** For `superRefine`: were these sections read without a fault? */
export function whenSound(sections: readonly string[]): z.core.$ZodSuperRefineParams {
  return {
    when: ({ value, issues }) =>
      isMapping(value) && !issues.some(({ path }) => sections.includes(String(path?.[0]))),
  };
}

function checkPorts({ listen, ops }: GateConfig, refuse: Refuse): void {
  const hosts = [listen.host, ops.host];
  const areSame = listen.host === ops.host || hosts.includes("0.0.0.0") || hosts.includes("::");
  if (listen.port !== 0 && listen.port === ops.port && areSame) {
    refuse(["ops", "port"], "is the port of listen as well");
  }
}

function checkUpstreamName({ upstreams }: GateConfig, name: string, path: Path, refuse: Refuse): void {
  if (Object.hasOwn(upstreams, name)) return;
  const names = Object.keys(upstreams);
  // The name itself may come from the environment, and is not repeated.
  const nearest = nearestWord(name, names);
  const hint = nearest === undefined ? `; there is ${listed(names)}` : `; did you mean "${nearest}"?`;
  refuse(path, `no such upstream${hint}`);
}

function checkProbeUpstreams(config: GateConfig, refuse: Refuse): void {
  const hasDefault = defaultUpstream(config.upstreams) !== undefined;
  for (const [name, { upstream }] of Object.entries(config.ops.probes ?? {})) {
    if (upstream !== undefined)
      checkUpstreamName(config, upstream, ["ops", "probes", name, "upstream"], refuse);
    else if (!hasDefault) {
      refuse(["ops", "probes", name], 'needs upstream: there are several, and none is called "default"');
    }
  }
}

function checkRouteUpstreams(config: GateConfig, refuse: Refuse): void {
  const hasDefault = defaultUpstream(config.upstreams) !== undefined;
  const check = (name: string, path: Path): void => checkUpstreamName(config, name, path, refuse);
  for (const [i, { upstream, handler }] of config.routes.entries()) {
    if (typeof upstream === "string") check(upstream, ["routes", i, "upstream"]);
    else if (upstream !== undefined) {
      for (const [environment, name] of Object.entries(upstream)) {
        check(name, ["routes", i, "upstream", environment]);
      }
    } else if (handler === undefined && !hasDefault) {
      refuse(["routes", i], 'needs upstream: there are several, and none is called "default"');
    }
  }
}

const LISTED_MAX = 5;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_MAX).map((name) => `"${name}"`);
  return shown.join(", ") + (names.length > LISTED_MAX ? ", …" : "");
}

/** An identity header in a credential place would be taken for a key by the next gate. */
function checkIdentityHeaders({ credentials, identity }: GateConfig, refuse: Refuse): void {
  const places = placeNames(credentials);
  for (const [what, name] of Object.entries(identity)) {
    if (name !== null && places.has(foldHeaderName(name))) {
      refuse(["identity", what], "is a place of credentials, where clients send their keys");
    }
  }
}

/** Two values under one name: which one wins would depend on the upstream. */
function checkBackendHeaders({ identity, upstreams }: GateConfig, refuse: Refuse): void {
  const identities = identityNames(identity);
  for (const [name, { auth }] of Object.entries(upstreams)) {
    if (auth !== undefined && identities.has(foldHeaderName(auth.header))) {
      refuse(["upstreams", name, "auth", "header"], "is a header of identity as well");
    }
  }
}

function checkKeptHeaders({ credentials, identity, headers }: GateConfig, refuse: Refuse): void {
  const places = placeNames(credentials);
  const identities = identityNames(identity);
  for (const option of ["keep", "remove"] as const) {
    for (const [i, name] of headers[option].entries()) {
      const folded = foldHeaderName(name);
      const path = ["headers", option, i];
      if (places.has(folded)) refuse(path, "is a place of credentials: it is always removed");
      else if (identities.has(folded)) refuse(path, "is a header of identity: a client's is always removed");
    }
  }
}

function placeNames(credentials: GateConfig["credentials"]): ReadonlySet<string> {
  return new Set(credentials.map(({ header }) => foldHeaderName(header)));
}

function identityNames(identity: GateConfig["identity"]): ReadonlySet<string> {
  return new Set(Object.values(identity).flatMap((name) => (name === null ? [] : [foldHeaderName(name)])));
}
