/**
 * Can a backend be reached around the gate? One whose address is a loopback address is meant for this
 * machine alone. When it answers on another address of the machine as well, whoever reaches the
 * machine (in Kubernetes: the pod) needs no key. Looks now and then; all that the backend sees is a
 * connection that opens and closes.
 */
import { connect } from "node:net";
import { networkInterfaces } from "node:os";

/** A backend of a pod starts after its sidecars. */
const FIRST_LOOK_MS = 5_000;
const EVERY_MS = 60_000;
const CONNECT_MS = 1_000;
/** A machine may have hundreds (containers); a few tell as much. */
const ADDRESSES_MAX = 8;

export interface WatchedUpstream {
  readonly name: string;
  /** As in the config. */
  readonly url: string;
}

export interface BypassWatchOptions {
  /** Called when a backend is found open that was not before. */
  readonly onOpen: (upstream: string, address: string) => void;
  /** Addresses of this machine that are not loopback; for tests. */
  readonly addresses?: () => readonly string[];
  readonly firstLookMs?: number;
}

export class BypassWatch {
  readonly #options: BypassWatchOptions;
  readonly #found = new Map<string, boolean>();
  #upstreams: readonly WatchedUpstream[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BypassWatchOptions) {
    this.#options = options;
  }

  /** By upstream, for those that can be judged: is it open on another address? */
  get found(): ReadonlyMap<string, boolean> {
    return this.#found;
  }

  /** Watches these from now on, instead of those before. */
  follow(upstreams: readonly WatchedUpstream[]): void {
    this.#upstreams = upstreams.filter(({ url }) => isLoopback(url));
    const names = new Set(this.#upstreams.map(({ name }) => name));
    for (const name of this.#found.keys()) if (!names.has(name)) this.#found.delete(name);
    for (const name of names) if (!this.#found.has(name)) this.#found.set(name, false);
    this.close();
    if (names.size > 0) this.#lookIn(this.#options.firstLookMs ?? FIRST_LOOK_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookIn(ms: number): void {
    const timer = setTimeout(() => void this.#lookAgain(timer), ms);
    this.#timer = timer.unref();
  }

  async #lookAgain(timer: NodeJS.Timeout): Promise<void> {
    await this.#look();
    // Unless it was closed or told to follow others meanwhile.
    if (this.#timer === timer) this.#lookIn(EVERY_MS);
  }

  async #look(): Promise<void> {
    const addresses = (this.#options.addresses ?? otherAddresses)().slice(0, ADDRESSES_MAX);
    for (const { name, url } of this.#upstreams) {
      const open = await firstOpen(addresses, portOf(url));
      if (!this.#found.has(name)) continue;
      if (open !== undefined && this.#found.get(name) === false) this.#options.onOpen(name, open);
      this.#found.set(name, open !== undefined);
    }
  }
}

async function firstOpen(addresses: readonly string[], port: number): Promise<string | undefined> {
  const answers = await Promise.all(
    addresses.map(async (host) => ((await isOpen(host, port)) ? host : undefined)),
  );
  return answers.find((host) => host !== undefined);
}

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(false));
    socket.once("error", () => settle(false));
  });
}

function isLoopback(url: string): boolean {
  if (url.startsWith("unix:")) return false;
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

function otherAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
    .map(({ address }) => address);
}
