/** A backend of this machine alone that others can reach as well is noticed. */
import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { BypassWatch } from "../../../src/gate/bypass-watch.ts";
import { portOf } from "../../support/listening.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Stands for the address of the pod: it belongs to this machine, and 127.0.0.1 is another one. */
const OTHER = "127.0.0.2";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function backendOn(host: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  open.push(server);
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  return server;
}

interface Watched {
  readonly watch: BypassWatch;
  readonly told: string[];
  looks: number;
}

function watcher(): Watched {
  const told: string[] = [];
  const watched: Watched = {
    told,
    looks: 0,
    watch: new BypassWatch({
      onOpen: (upstream, address) => told.push(`${upstream} at ${address}`),
      addresses: () => {
        watched.looks++;
        return [OTHER];
      },
      firstLookMs: 1,
    }),
  };
  open.push(watched.watch);
  return watched;
}

test("a backend that listens on every address is told, once, and shows in the readings", async () => {
  const server = await backendOn("0.0.0.0");
  const { watch, told } = watcher();
  watch.follow([{ name: "default", url: `http://127.0.0.1:${portOf(server)}` }]);
  expect([...watch.found]).toEqual([["default", false]]);
  await waitFor("it to be found open", () => watch.found.get("default") === true);
  expect(told).toEqual([`default at ${OTHER}`]);
  watch.follow([{ name: "default", url: `http://localhost:${portOf(server)}` }]);
  expect(watch.found.get("default")).toBe(true);
});

test("one that is bound to the loopback address is not", async () => {
  const server = await backendOn("127.0.0.1");
  const watched = watcher();
  watched.watch.follow([{ name: "default", url: `http://127.0.0.1:${portOf(server)}` }]);
  await waitFor("a look", () => watched.looks > 0);
  const done = watcher();
  const other = await backendOn("0.0.0.0");
  done.watch.follow([{ name: "open", url: `http://127.0.0.1:${portOf(other)}` }]);
  await waitFor("a later look to end", () => done.watch.found.get("open") === true);
  expect([...watched.watch.found]).toEqual([["default", false]]);
  expect(watched.told).toEqual([]);
});

test("a backend elsewhere, or behind a unix socket, is not judged", () => {
  const { watch } = watcher();
  watch.follow([
    { name: "far", url: "http://memory.internal:8000" },
    { name: "socket", url: "unix:/run/memory.sock" },
  ]);
  expect([...watch.found]).toEqual([]);
});
