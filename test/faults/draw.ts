/** Draws the shots of a storm from its seed: each from its number alone, so that any can be fired again. */
import {
  type ClientFault,
  clientFaultNames,
  forbiddenClients,
  soundClients,
  webSocketClients,
} from "./client-faults.ts";
import { Seeded } from "./seeded.ts";
import { type Room, type Shot, type StormKey, drawRequest } from "./shot.ts";
import { type UpstreamFault, soundAnswers, upstreamFaultNames } from "./upstream-faults.ts";

export interface Drawn {
  readonly shot: Shot;
  /** For the choices that are made while the shot is played. */
  readonly random: Seeded;
  readonly isFault: boolean;
}

const others = clientFaultNames.filter((name) => !soundClients.has(name));
const sounds = clientFaultNames.filter((name) => soundClients.has(name));
/** Only for clients that do not read: it costs more memory than all others together. */
const answers = upstreamFaultNames.filter((name) => name !== "huge");

export function drawShot(seed: number, number: number, keys: readonly StormKey[]): Drawn {
  const random = new Seeded((seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0);
  // A third each: the client alone, the upstream alone, both at once or neither.
  const side = random.pick(["client", "upstream", "both"] as const);
  const client = clientFor(side, random);
  const upstream = upstreamFor(side, random, client);
  const room = roomFor(random, client, upstream);
  const isFault =
    !soundClients.has(client) || !soundAnswers.has(upstream) || room === "gone" || room === "mute";
  const request = requestFor(client, random);
  const shot = { id: `s${seed}-${number}`, room, key: random.pick(keys), upstream, client, ...request };
  return { shot, random, isFault };
}

function clientFor(side: "client" | "upstream" | "both", random: Seeded): ClientFault {
  if (side === "upstream") return random.pick(sounds);
  const fault = random.pick(others);
  // They move megabytes each: now and then is enough.
  return fault === "never_reads" && random.chance(0.8) ? "slow_reader" : fault;
}

function upstreamFor(
  side: "client" | "upstream" | "both",
  random: Seeded,
  client: ClientFault,
): UpstreamFault {
  if (client === "never_reads") return "huge";
  if (client === "slow_reader") return "big";
  if (side === "client") return random.pick(answers.filter((name) => soundAnswers.has(name)));
  return random.pick(answers);
}

function roomFor(random: Seeded, client: ClientFault, upstream: UpstreamFault): Room {
  // Whoever gets such a connection next is a victim by right.
  if (upstream === "late_answer") return "late";
  if (forbiddenClients.has(client) || client === "never_reads") return "v1";
  const dice = random.next();
  if (dice < 0.03) return "narrow";
  if (dice < 0.06) return "gone";
  return dice < 0.08 ? "mute" : "v1";
}

function requestFor(client: ClientFault, random: Seeded): Pick<Shot, "method" | "bodyBytes" | "isChunked"> {
  const request = drawRequest(random);
  if (webSocketClients.has(client) || client === "never_reads") {
    return { method: "GET", bodyBytes: 0, isChunked: false };
  }
  if (NEEDS_BODY.has(client))
    return { method: "POST", bodyBytes: random.pick([100, 5000, 70_000]), isChunked: random.chance(0.4) };
  // Refusals that come before the method is known have a body.
  const cannotBeHead = forbiddenClients.has(client) || client === "stall_mid_head";
  return cannotBeHead && request.method === "HEAD" ? { ...request, method: "GET" } : request;
}

const NEEDS_BODY: ReadonlySet<ClientFault> = new Set([
  "stall_mid_body",
  "leave_mid_body",
  "leave_after_head",
  "expect_continue",
  "expect_and_leave",
]);
