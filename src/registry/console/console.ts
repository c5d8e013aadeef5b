/**
 * The console as part of a registry's server: the page, signing in, and the management API once more
 * under `/console/api`, open to sessions instead of tokens. The two never mix: a cookie opens nothing
 * outside this folder, and a token in a header nothing inside it.
 */
import type { FastifyInstance } from "fastify";
import type { Clock } from "../../base/clock.ts";
import type { RandomBytes } from "../../base/random.ts";
import type { Route } from "../api.ts";
import { type MountParts, mountRoute } from "../mount.ts";
import type { TokenAuth } from "../token-auth.ts";
import { ConsoleAssets, type LoadConsole } from "./assets.ts";
import { compressReadings } from "./compress.ts";
import { mountPages } from "./page-routes.ts";
import { SessionDoor } from "./session-door.ts";
import { mountSession } from "./session-routes.ts";
import { SessionStore } from "./session-store.ts";

export interface ConsoleOptions {
  /** The cookie goes over plain HTTP as well. */
  readonly isInsecure: boolean;
  /** Where clients reach the gate, for lines to paste. */
  readonly gateUrl: string | undefined;
  /** Of the program. */
  readonly version: string;
  readonly load: LoadConsole;
}

export interface ConsoleParts {
  readonly options: ConsoleOptions;
  /** Of keys, for whoever makes one. */
  readonly environments: readonly string[];
  readonly auth: TokenAuth;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Failed sign-ins of an address in a minute, as elsewhere. */
  readonly failuresMax: number;
}

export function mountConsole(
  app: FastifyInstance,
  management: readonly Route[],
  mounting: Omit<MountParts, "door">,
  parts: ConsoleParts,
): void {
  const { options, auth, clock, random } = parts;
  const sessions = new SessionStore(clock, random);
  const door = new SessionDoor({ sessions, auth, clock, cookie: options });
  // In a room of its own: what is added to answers here is added nowhere else.
  void app.register(async (room) => {
    room.addHook("onRequest", async (_request, reply) => {
      reply.header("cross-origin-resource-policy", "same-origin");
    });
    compressReadings(room);
    mountPages(room, { assets: new ConsoleAssets(options.load), onFault: mounting.onFault });
    mountSession(room, { ...parts, sessions, door });
    for (const route of management) mountRoute(room, route, { ...mounting, door });
  });
}
