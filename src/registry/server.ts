/**
 * A registry as one object: the parts tied together around one store, from the change feed to the
 * port. Whoever makes it opens the store, migrates it and closes it afterwards.
 */
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../base/clock.ts";
import type { RandomBytes } from "../base/random.ts";
import type { KeyFormatOptions } from "../keys/format.ts";
import type { Cursor } from "../keys/wire.ts";
import { ChangeFeed } from "./change-feed.ts";
import type { DelegationOptions } from "./authority.ts";
import { type ConsoleOptions, mountConsole } from "./console/console.ts";
import { type GateApiOptions, type GateApiParts, Places } from "./gate-part.ts";
import { type AnsweredRequest, createHttpServer } from "./http-server.ts";
import { GateWatch } from "./gate-watch.ts";
import { Idempotency } from "./idempotency.ts";
import { KeyService } from "./key-service.ts";
import type { Door } from "./mount.ts";
import { type LiveGate, liveGates, Propagation } from "./propagation.ts";
import { atRoot, gateRoutes, managementDocument, managementRoutes, protocolDocument } from "./routes.ts";
import type { Store } from "./store.ts";
import { FailureThrottle } from "./throttle.ts";
import { TokenAuth } from "./token-auth.ts";
import { type Retention, Upkeep } from "./upkeep.ts";

export interface RegistryOptions {
  readonly keyFormat: KeyFormatOptions | undefined;
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly pageMax: number;
  /** Failed attempts per address and minute. */
  readonly failuresMax: number;
  readonly trustedProxies: readonly string[];
  readonly pollMs: number;
  readonly gateApi: GateApiOptions;
  readonly delegation: DelegationOptions;
  readonly retention: Retention;
}

export interface RegistryParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly options: RegistryOptions;
  /** None is served without it. */
  readonly console?: ConsoleOptions;
  readonly onAnswered: (request: AnsweredRequest) => void;
  readonly onUsage: (isNew: boolean) => void;
  /** Something went wrong that no client can mend. */
  readonly onFault: (message: string, error: unknown) => void;
  /** Further pages on the same port, such as a console; called before the server listens. */
  readonly extend?: (app: FastifyInstance) => void;
}

const CHANGES_HELD_MAX = 10_000;
const CHANGES_HELD_CHARS_MAX = 32 * 1024 * 1024;
/** A snapshot of as many keys is quicker than as many changes. */
const CHANGES_BEHIND_MAX = 50_000;
const FAILURE_WINDOW_MS = 60_000;
const ADDRESSES_MAX = 10_000;
const UPKEEP_EVERY_MS = 60_000;

export class RegistryServer {
  readonly #store: Store;
  readonly #app: FastifyInstance;
  readonly #feed: ChangeFeed;
  readonly #upkeep: Upkeep;
  readonly #watch: GateWatch;
  readonly #streams: Places;
  #address: AddressInfo | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: RegistryParts) {
    const { store, clock, random, options, onAnswered, onFault } = parts;
    this.#store = store;
    const feed = feedOf(parts);
    this.#feed = feed;
    this.#streams = new Places(options.gateApi.streamsMax);
    this.#upkeep = new Upkeep({
      store,
      clock,
      retention: options.retention,
      everyMs: UPKEEP_EVERY_MS,
      onFault,
    });
    const throttle = new FailureThrottle(
      { failuresMax: options.failuresMax, windowMs: FAILURE_WINDOW_MS, addressesMax: ADDRESSES_MAX },
      clock,
    );
    const auth = new TokenAuth(store, clock, throttle);
    const watch = new GateWatch(store, clock);
    this.#watch = watch;
    const propagation = new Propagation(watch, clock);
    const keys = new KeyService({
      store,
      clock,
      random,
      format: options.keyFormat,
      onChange: () => feed.nudge(),
    });
    const shared = { store, clock, keys, pageMax: options.pageMax };
    const management = managementRoutes({ ...shared, random, auth, propagation, watch });
    const places = { streams: this.#streams, snapshots: new Places(options.gateApi.snapshotsMax) };
    const callers = { ...shared, delegation: options.delegation };
    const gate = gateRoutes(this.#gateParts(parts, propagation), places, callers);
    const mounting = {
      idempotency: new Idempotency(store, clock),
      bodyBytesMax: options.bodyBytesMax,
      onFault,
    };
    this.#app = createHttpServer(
      [...management, ...gate, ...atRoot(gate)],
      { ...mounting, door: tokenDoor(auth) },
      {
        clock,
        random,
        bodyBytesMax: options.bodyBytesMax,
        connectionsMax: options.connectionsMax,
        trustedProxies: options.trustedProxies,
        onAnswered,
        onFault,
        pingStorage: () => store.ping(),
        isStopping: () => this.#closing !== undefined,
      },
    );
    serveDocument(this.#app, "/openapi.json", managementDocument(management));
    serveDocument(this.#app, "/v1/gate/openapi.json", protocolDocument(gate));
    if (parts.console !== undefined) {
      const { failuresMax, keyFormat } = options;
      const environments = keyFormat?.environments ?? [];
      const console = { options: parts.console, environments, auth, clock, random, failuresMax };
      mountConsole(this.#app, management, mounting, console);
    }
    parts.extend?.(this.#app);
  }

  /** Change streams and long polls open now. */
  get subscribers(): number {
    return this.#streams.taken;
  }

  get cursor(): Cursor {
    return this.#feed.cursor;
  }

  /** Gates that are live and how far each has followed. */
  async liveGates(): Promise<readonly LiveGate[]> {
    return liveGates(await this.#watch.gates(), await this.#store.cursor());
  }

  /** Milliseconds since the store last answered the feed. */
  get silenceMs(): number {
    return this.#feed.silenceMs;
  }

  get isListening(): boolean {
    return this.#address !== undefined && this.#closing === undefined;
  }

  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    await this.#feed.start();
    this.#watch.start();
    await this.#app.listen({ host, port });
    this.#upkeep.start();
    this.#address = this.#app.server.address() as AddressInfo;
    return this.#address;
  }

  /** Tells streams to come back, lets requests under way finish for `graceMs`, then cuts the rest. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#watch.stop();
    await this.#feed.stop();
    const cut = new AbortController();
    void delay(graceMs, undefined, { signal: cut.signal }).then(
      () => this.#app.server.closeAllConnections(),
      () => undefined,
    );
    await this.#app.close();
    cut.abort();
    await this.#upkeep.stop();
  }

  #gateParts(
    { store, clock, options, onUsage, onFault }: RegistryParts,
    propagation: Propagation,
  ): GateApiParts {
    return {
      store,
      feed: this.#feed,
      clock,
      options: options.gateApi,
      onUsage,
      onStatus: (gate, writtenMs) => {
        this.#watch.reported(gate, writtenMs);
        propagation.reported();
      },
      onFault,
    };
  }
}

function feedOf({ store, clock, options, onFault }: RegistryParts): ChangeFeed {
  return new ChangeFeed({
    store,
    clock,
    pollMs: options.pollMs,
    heldMax: CHANGES_HELD_MAX,
    heldCharsMax: CHANGES_HELD_CHARS_MAX,
    behindMax: CHANGES_BEHIND_MAX,
    onFault,
  });
}

function tokenDoor(auth: TokenAuth): Door {
  return { prefix: "", identify: (request) => auth.identify(request.headers.authorization, request.ip) };
}

function serveDocument(app: FastifyInstance, path: string, document: object): void {
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  app.get(path, { config: { path } }, (_request, reply) => reply.type("application/json").send(text));
}
