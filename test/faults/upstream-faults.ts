/**
 * Everything an upstream can do wrong, by name, and what a client of the gate may then see. Each
 * behaviour is told its turn and answers in its own way; it knows nothing of the gate.
 */

/** One request that the upstream has to answer, and the bare connection to do it on. */
export interface Turn {
  readonly id: string;
  readonly method: string;
  readonly send: (text: string | Buffer) => void;
  /** Closes in order. */
  readonly close: () => void;
  /** Breaks off with a TCP reset. */
  readonly reset: () => void;
  /** Unless the connection is gone by then, or carries another request already. */
  readonly later: (delayMs: number, action: () => void) => void;
}

/** A status, or `cut`: the connection ended before an answer was whole. */
export type Seen = number | "cut";

export interface UpstreamBehaviour {
  /** When it acts: as soon as the head is there, or when the whole request is. */
  readonly at: "head" | "message";
  readonly act: (turn: Turn) => void;
  /** What a client that does nothing wrong may see. */
  readonly seen: readonly Seen[];
}

/** The body of every whole answer: made of the request's id, so that no other answer looks like it. */
export function echoBody(id: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${id} `);
}

/** Lines that tell the client whose answer this is and how long it is when whole. */
export function echoHead(id: string, bytes: number, fields: readonly string[], status = 200): string {
  return [
    `HTTP/1.1 ${status} Scripted`,
    `X-Echo-Id: ${id}`,
    `X-Echo-Bytes: ${bytes}`,
    ...fields,
    "",
    "",
  ].join("\r\n");
}

function whole({ id, method }: Turn, bytes: number): Buffer {
  const head = Buffer.from(echoHead(id, bytes, [`Content-Length: ${bytes}`]));
  return method === "HEAD" ? head : Buffer.concat([head, echoBody(id, bytes)]);
}

const behaviour = (
  at: UpstreamBehaviour["at"],
  seen: readonly Seen[],
  act: UpstreamBehaviour["act"],
): UpstreamBehaviour => ({ at, seen, act });

const SMALL = 200;
const BIG = 256 * 1024;
/** More than two kernels hold for a client that does not read. */
const HUGE = 16 * 1024 * 1024;

/** Sends a head that cannot be read; 502 whatever comes of it. */
const brokenHead = (lines: (id: string) => readonly string[]): UpstreamBehaviour =>
  behaviour("message", [502], (turn) => {
    turn.send(`${lines(turn.id).join("\r\n")}\r\n\r\n${turn.id}`);
  });

const good = {
  none: behaviour("message", [200], (turn) => turn.send(whole(turn, SMALL))),
  big: behaviour("message", [200], (turn) => turn.send(whole(turn, BIG))),
  huge: behaviour("message", [200], (turn) => turn.send(whole(turn, HUGE))),
  chunked: behaviour("message", [200], (turn) => {
    const body = echoBody(turn.id, SMALL).toString();
    turn.send(echoHead(turn.id, SMALL, ["Transfer-Encoding: chunked"]));
    if (turn.method !== "HEAD")
      turn.send(`64\r\n${body.slice(0, 100)}\r\n64\r\n${body.slice(100)}\r\n0\r\n\r\n`);
  }),
  until_close: behaviour("message", [200], (turn) => {
    turn.send(echoHead(turn.id, SMALL, ["Connection: close"]));
    if (turn.method !== "HEAD") turn.send(echoBody(turn.id, SMALL));
    turn.close();
  }),
  dribble: behaviour("message", [200], (turn) => {
    const bytes = whole(turn, SMALL);
    const size = Math.ceil(bytes.length / 8);
    // One after the other: timers of a late event loop do not keep their order.
    const sendFrom = (at: number): void => {
      turn.send(bytes.subarray(at, at + size));
      if (at + size < bytes.length) turn.later(20, () => sendFrom(at + size));
    };
    sendFrom(0);
  }),
  interim: behaviour("message", [200], (turn) => {
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3));
    turn.send(whole(turn, SMALL));
  }),
} as const;

const silent = {
  stall_before: behaviour("message", [504], () => {}),
  stall_mid_head: behaviour("message", [504], ({ id, send }) => send(`HTTP/1.1 200 OK\r\nX-Echo-Id: ${id}`)),
  stall_mid_body: behaviour("message", ["cut"], ({ id, send }) => {
    send(`${echoHead(id, SMALL, [`Content-Length: ${SMALL}`])}${id}`);
  }),
  stall_mid_chunk: behaviour("message", ["cut"], ({ id, send }) => {
    send(`${echoHead(id, SMALL, ["Transfer-Encoding: chunked"])}c8\r\n${id}`);
  }),
  event_stream: behaviour("message", ["cut"], ({ id, send }) => {
    // Lives until somebody ends it: here the total timeout.
    send(`${echoHead(id, SMALL, ["Content-Type: text/event-stream"])}data: 1\n\n`);
  }),
} as const;

const broken = {
  reset_at_head: behaviour("head", [502], (turn) => turn.reset()),
  reset_before: behaviour("message", [502], (turn) => turn.reset()),
  close_before: behaviour("message", [502], (turn) => turn.close()),
  reset_mid_head: behaviour("message", [502], (turn) => {
    turn.send("HTTP/1.1 200 OK\r\nX-Ec");
    turn.later(5, () => turn.reset());
  }),
  close_mid_head: behaviour("message", [502], (turn) => {
    turn.send("HTTP/1.1 200 OK\r\nX-Ec");
    turn.close();
  }),
  reset_mid_body: behaviour("message", ["cut", 502], (turn) => {
    turn.send(`${echoHead(turn.id, SMALL, [`Content-Length: ${SMALL}`])}${turn.id}`);
    turn.later(5, () => turn.reset());
  }),
  close_mid_body: behaviour("message", ["cut", 502], (turn) => {
    turn.send(`${echoHead(turn.id, SMALL, [`Content-Length: ${SMALL}`])}${turn.id}`);
    turn.close();
  }),
  close_mid_chunk: behaviour("message", ["cut", 502], (turn) => {
    turn.send(`${echoHead(turn.id, SMALL, ["Transfer-Encoding: chunked"])}c8\r\n${turn.id}`);
    turn.close();
  }),
  close_before_last_chunk: behaviour("message", ["cut", 502], (turn) => {
    const body = echoBody(turn.id, SMALL).toString();
    turn.send(`${echoHead(turn.id, SMALL, ["Transfer-Encoding: chunked"])}c8\r\n${body}\r\n`);
    turn.close();
  }),
  bad_chunk: behaviour("message", ["cut", 502], ({ id, send }) => {
    send(`${echoHead(id, SMALL, ["Transfer-Encoding: chunked"])}5\r\n${id.slice(0, 5)}\r\nnonsense\r\n`);
  }),
} as const;

const nonsense = {
  garbage: behaviour("message", [502], ({ send }) =>
    send("\x16\x03\x01\x02\x00\x01\x00 no HTTP at all \0\r\n\r\n"),
  ),
  status_out_of_range: brokenHead((id) => ["HTTP/1.1 999 Odd", `X-Echo-Id: ${id}`, "Content-Length: 3"]),
  huge_head: brokenHead((id) => [`HTTP/1.1 200 OK`, `X-Echo-Id: ${id}`, `X-Filler: ${"f".repeat(70_000)}`]),
  length_and_chunked: brokenHead((id) => [
    "HTTP/1.1 200 OK",
    `X-Echo-Id: ${id}`,
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
  ]),
  two_lengths: brokenHead(() => ["HTTP/1.1 200 OK", "Content-Length: 3", "Content-Length: 4"]),
  bad_length: brokenHead(() => ["HTTP/1.1 200 OK", "Content-Length: -3"]),
  nul_in_field: brokenHead(() => ["HTTP/1.1 200 OK", "X-Nul: a\0b", "Content-Length: 3"]),
  unasked_101: brokenHead(() => [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: upgrade",
    "Upgrade: websocket",
  ]),
  interim_flood: behaviour("message", [502], (turn) => {
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(500));
    turn.send(whole(turn, SMALL));
  }),
} as const;

/**
 * Marks a surplus answer that comes a moment later. When the connection already carries another
 * request by then, nobody can tell that it is not the answer to that one.
 */
export const LATE_ID = "late";

/** Bytes that nobody asked for: they must never become somebody else's answer. */
const surplus = {
  second_answer: behaviour("message", [200, 502], (turn) => {
    // In one piece: what comes later is another fault.
    turn.send(Buffer.concat([whole(turn, SMALL), Buffer.from(poison("poison"))]));
  }),
  late_answer: behaviour("message", [200], (turn) => {
    turn.send(whole(turn, SMALL));
    // Closed behind it: answers that are all off by one would hide every other fault.
    turn.later(3, () => {
      turn.send(poison(LATE_ID));
      turn.close();
    });
  }),
  body_for_204: behaviour("message", [204, 502], ({ id, send }) => {
    send(`${echoHead(id, 0, [], 204)}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
  }),
} as const;

function poison(id: string): string {
  return `${echoHead(id, 6, ["Content-Length: 6"])}poison`;
}

/** Answers that do not wait for the request to be whole. */
const early = {
  early_refusal: behaviour("head", [413], (turn) => {
    turn.send(echoHead(turn.id, 0, ["Content-Length: 0"], 413));
  }),
  early_refusal_close: behaviour("head", [413, 502], (turn) => {
    turn.send(echoHead(turn.id, 0, ["Content-Length: 0", "Connection: close"], 413));
    turn.later(5, () => turn.close());
  }),
  early_refusal_reset: behaviour("head", [413, 502], (turn) => {
    turn.send(echoHead(turn.id, 0, ["Content-Length: 0", "Connection: close"], 413));
    turn.later(2, () => turn.reset());
  }),
  early_stall: behaviour("head", ["cut", 504], ({ id, send }) => {
    send(`${echoHead(id, SMALL, [`Content-Length: ${SMALL}`])}${id}`);
  }),
} as const;

export const upstreamFaults = {
  ...good,
  ...silent,
  ...broken,
  ...nonsense,
  ...surplus,
  ...early,
} as const satisfies Record<string, UpstreamBehaviour>;

export type UpstreamFault = keyof typeof upstreamFaults;

export const upstreamFaultNames = Object.keys(upstreamFaults) as readonly UpstreamFault[];

/** Ways of answering that are in order: no fault. */
export const soundAnswers: ReadonlySet<UpstreamFault> = new Set(Object.keys(good) as (keyof typeof good)[]);

export function behaviourOf(fault: UpstreamFault): UpstreamBehaviour {
  return upstreamFaults[fault];
}
