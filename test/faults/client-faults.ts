/**
 * Everything a client can do wrong, by name. Each is a script on a bare connection; the shot says
 * what it asks for. What may come of it is judged elsewhere.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Seeded } from "./seeded.ts";
import { type Shot, bodyOf, headOf, targetOf } from "./shot.ts";
import type { Talk } from "./talk.ts";

export interface Scene {
  readonly talk: Talk;
  readonly shot: Shot;
  readonly random: Seeded;
  /** A key that was revoked, and one that may only read. */
  readonly revokedSecret: string;
  readonly readOnlySecret: string;
}

type Script = (scene: Scene) => Promise<void>;

const sendAll = ({ talk, shot }: Scene): void => talk.send(headOf(shot) + bodyOf(shot).join(""));

async function sendSlowly({ talk, random }: Scene, text: string, pieces: number): Promise<void> {
  const size = Math.ceil(text.length / pieces);
  for (let at = 0; at < text.length && !talk.isOver; at += size) {
    talk.send(text.slice(at, at + size));
    await delay(random.int(1, 30));
  }
}

/** Requests that the gate must answer itself. */
const refused = (shot: Shot, options: Parameters<typeof headOf>[1]): string =>
  headOf(shot, { ...options, isForbidden: true }) + bodyOf(shot).join("");

const sound = {
  none: async (scene) => {
    sendAll(scene);
    await scene.talk.answered(1);
  },
  /** A second request on the connection that carried the first. */
  again: async (scene) => {
    const { talk, shot } = scene;
    sendAll(scene);
    await talk.answered(1);
    if (talk.isOver) return;
    const next: Shot = { ...shot, method: "GET", bodyBytes: 0, isChunked: false, upstream: "none" };
    talk.expect("GET");
    talk.send(headOf(next));
    await talk.answered(2);
  },
  pipelined: async ({ talk, shot }) => {
    const rest = Array.from({ length: 4 }, (): Shot => ({
      ...shot,
      method: "GET",
      bodyBytes: 0,
      upstream: "none",
    }));
    for (const _ of rest) talk.expect("GET");
    talk.send([headOf(shot) + bodyOf(shot).join(""), ...rest.map((next) => headOf(next))].join(""));
    await talk.answered(5);
  },
  expect_continue: async ({ talk, shot }) => {
    talk.send(headOf(shot, { extra: ["Expect: 100-continue"] }));
    await talk.answered(1, { countsInterim: true });
    if (talk.isOver || talk.finals > 0) return;
    talk.send(bodyOf(shot).join(""));
    await talk.answered(1);
  },
} as const satisfies Record<string, Script>;

const slow = {
  drip: async (scene) => {
    const { talk, shot } = scene;
    await sendSlowly(scene, headOf(shot), 8);
    await sendSlowly(scene, bodyOf(shot, 4).join(""), 8);
    await talk.answered(1);
  },
  slow_reader: async (scene) => {
    const { talk } = scene;
    sendAll(scene);
    for (let i = 0; i < 10 && !talk.isOver; i++) {
      talk.pause();
      await delay(20);
      talk.resume();
      await delay(2);
    }
    await talk.answered(1);
  },
  never_reads: async (scene) => {
    const { talk } = scene;
    talk.pause();
    sendAll(scene);
    await delay(NEVER_READS_MS);
    talk.resume();
    await talk.answered(1);
  },
  stall_mid_head: async ({ talk, shot, random }) => {
    const head = headOf(shot);
    talk.send(head.slice(0, random.int(1, head.length - 2)));
    await talk.answered(1);
  },
  stall_mid_body: async ({ talk, shot }) => {
    const body = bodyOf(shot).join("");
    talk.send(headOf(shot) + body.slice(0, Math.floor(body.length / 2)));
    await talk.answered(1);
  },
} as const satisfies Record<string, Script>;

/** A client that does not read for this long is given up by the gate of a storm. */
const NEVER_READS_MS = 2500;

const leaving = {
  leave_at_once: async ({ talk, random }) => {
    await talk.leave(random.chance(0.5));
  },
  leave_mid_head: async ({ talk, shot, random }) => {
    const head = headOf(shot);
    talk.send(head.slice(0, random.int(1, head.length - 2)));
    await delay(random.int(0, 10));
    await talk.leave(random.chance(0.5));
  },
  leave_after_head: async ({ talk, shot, random }) => {
    talk.send(headOf(shot));
    await delay(random.int(0, 10));
    await talk.leave(random.chance(0.5));
  },
  leave_mid_body: async ({ talk, shot, random }) => {
    const body = bodyOf(shot).join("");
    talk.send(headOf(shot) + body.slice(0, random.int(0, Math.max(0, body.length - 1))));
    await delay(random.int(0, 20));
    await talk.leave(random.chance(0.5));
  },
  leave_mid_answer: async (scene) => {
    const { talk, random } = scene;
    sendAll(scene);
    await talk.firstByte();
    await talk.leave(random.chance(0.5));
  },
  leave_any_time: async (scene) => {
    const { talk, random } = scene;
    sendAll(scene);
    await delay(random.int(0, 60));
    await talk.leave(random.chance(0.5));
  },
  half_close: async (scene) => {
    sendAll(scene);
    scene.talk.halfClose();
    await scene.talk.answered(1);
  },
  expect_and_leave: async ({ talk, shot, random }) => {
    talk.send(headOf(shot, { extra: ["Expect: 100-continue"] }));
    await delay(random.int(0, 10));
    await talk.leave(random.chance(0.5));
  },
} as const satisfies Record<string, Script>;

const forbidden = {
  no_key: async ({ talk, shot }) => {
    talk.send(refused(shot, { secret: null }));
    await talk.answered(1);
  },
  wrong_key: async ({ talk, shot }) => {
    talk.send(refused(shot, { secret: `mem_live_${randomBytes(24).toString("hex")}` }));
    await talk.answered(1);
  },
  two_keys: async ({ talk, shot, revokedSecret }) => {
    talk.send(refused(shot, { extra: [`X-API-Key: ${revokedSecret}`] }));
    await talk.answered(1);
  },
  revoked_key: async ({ talk, shot, revokedSecret }) => {
    talk.send(refused(shot, { secret: revokedSecret }));
    await talk.answered(1);
  },
  no_scope: async ({ talk, shot, readOnlySecret }) => {
    const upload: Shot = { ...shot, method: "POST", room: "v1" };
    talk.send(refused(upload, { secret: readOnlySecret }));
    await talk.answered(1);
  },
  smuggled: async ({ talk, shot, random }) => {
    const trick = random.pick([
      ["Content-Length: 4", "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: gzip, chunked"],
      ["Host: other.test"],
      ["Connection: X-Org-Id", "Transfer-Encoding: xchunked"],
      ["Content-Length : 4"],
    ]);
    const hidden = `0\r\n\r\nGET ${targetOf(shot, true)} HTTP/1.1\r\nHost: gate.test\r\n\r\n`;
    talk.send(`${headOf({ ...shot, method: "GET" }, { extra: trick, isForbidden: true })}${hidden}`);
    await talk.answered(1);
  },
  too_many_headers: async ({ talk, shot }) => {
    const extra = Array.from({ length: 300 }, (_, i) => `X-Filler-${i}: f`);
    talk.send(refused({ ...shot, method: "GET", bodyBytes: 0 }, { extra }));
    await talk.answered(1);
  },
  too_large: async ({ talk, shot }) => {
    const upload: Shot = { ...shot, method: "POST", bodyBytes: 2 * 1024 * 1024, isChunked: false };
    talk.send(headOf(upload, { isForbidden: true }) + "b".repeat(70_000));
    await talk.answered(1);
  },
  garbage: async ({ talk, random }) => {
    talk.send(Buffer.concat([random.bytes(random.int(1, 400)), Buffer.from("\r\n\r\n")]).toString("latin1"));
    await talk.answered(1);
  },
} as const satisfies Record<string, Script>;

/** WebSocket handshakes; what the upstream makes of them is its own part. */
const webSocket = {
  ws: async (scene) => {
    await handshake(scene);
    if (!scene.talk.isTunnel) return;
    scene.talk.send("echo-me");
    await scene.talk.tunnelled("echo-me".length);
  },
  ws_stay: async (scene) => {
    await handshake(scene);
    await scene.talk.closed();
  },
  ws_leave: async (scene) => {
    const { talk, random } = scene;
    talk.send(handshakeOf(scene));
    await delay(random.int(0, 30));
    await talk.leave(random.chance(0.5));
  },
  ws_half_close: async (scene) => {
    scene.talk.send(handshakeOf(scene));
    scene.talk.halfClose();
    await scene.talk.closed();
  },
} as const satisfies Record<string, Script>;

const WS_FAULTS = [
  "none",
  "refuse",
  "stall",
  "reset",
  "wrong_accept",
  "reset_tunnel",
  "close_tunnel",
  "silent_tunnel",
] as const;

function handshakeOf({ shot, random }: Scene): string {
  const extra = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  const get: Shot = { ...shot, method: "GET", bodyBytes: 0 };
  return headOf(get, { extra }).replace("?up=", `?ws=${random.pick(WS_FAULTS)}&up=`);
}

async function handshake(scene: Scene): Promise<void> {
  scene.talk.send(handshakeOf(scene));
  await scene.talk.answered(1);
}

export const clientFaults = {
  ...sound,
  ...slow,
  ...leaving,
  ...forbidden,
  ...webSocket,
} as const satisfies Record<string, Script>;

export type ClientFault = keyof typeof clientFaults;

export const clientFaultNames = Object.keys(clientFaults) as readonly ClientFault[];

const namesOf = (group: object): ReadonlySet<string> => new Set(Object.keys(group));

/** Ways of asking that are in order: no fault. */
export const soundClients = namesOf(sound);
/** Slow, but a gate serves them or gives them up. */
export const slowClients = namesOf(slow);
/** Those that must be refused. */
export const forbiddenClients = namesOf(forbidden);
export const webSocketClients = namesOf(webSocket);

export async function play(scene: Scene): Promise<void> {
  await clientFaults[scene.shot.client](scene);
}
