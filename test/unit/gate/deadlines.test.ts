import { describe, expect, test } from "vitest";
import { overdue, type Standing } from "../../../src/gate/deadlines.ts";

const CLIENT = { bodyIdleMs: 100, bodyGraceMs: 500, bodyRateMin: 0, readIdleMs: 200 };
const UPSTREAM = { headersTimeoutMs: 300, idleTimeoutMs: 400, totalTimeoutMs: 1000 };

const WAITING: Standing = {
  totalMs: 0,
  silentMs: 0,
  isClientBlocked: false,
  isAwaitingBody: false,
  awaitedMs: 0,
  bytesIn: 0,
  hasResponseHead: false,
  isEventStream: false,
};
const ANSWERING: Standing = { ...WAITING, hasResponseHead: true };

interface Wait {
  readonly what: string;
  readonly standing: Standing;
  readonly limitMs: number;
  readonly code: string;
  readonly note: string;
}

const WAITS: readonly Wait[] = [
  {
    what: "the client's body",
    standing: { ...WAITING, isAwaitingBody: true },
    limitMs: 100,
    code: "request_timeout",
    note: "client does not send",
  },
  {
    what: "the client to read",
    standing: { ...ANSWERING, isClientBlocked: true },
    limitMs: 200,
    code: "request_timeout",
    note: "client does not read",
  },
  {
    what: "the client to read events",
    standing: { ...ANSWERING, isClientBlocked: true, isEventStream: true },
    limitMs: 200,
    code: "request_timeout",
    note: "client does not read",
  },
  {
    what: "the client to read while it still sends",
    standing: { ...WAITING, isClientBlocked: true, isAwaitingBody: true },
    limitMs: 200,
    code: "request_timeout",
    note: "client does not read",
  },
  {
    what: "the response head",
    standing: WAITING,
    limitMs: 300,
    code: "upstream_timeout",
    note: "no response head",
  },
  {
    what: "more of the answer",
    standing: ANSWERING,
    limitMs: 400,
    code: "upstream_timeout",
    note: "answer stalled",
  },
  {
    what: "more of an answer that came before the whole body",
    standing: { ...ANSWERING, isAwaitingBody: true },
    limitMs: 400,
    code: "upstream_timeout",
    note: "answer stalled",
  },
];

describe("waiting for", () => {
  test.for(WAITS)("$what ends after its own limit, with $code", ({ standing, limitMs, code, note }) => {
    expect(overdue({ ...standing, silentMs: limitMs }, CLIENT, UPSTREAM)).toBeUndefined();
    expect(overdue({ ...standing, silentMs: limitMs + 1 }, CLIENT, UPSTREAM)).toMatchObject({ code, note });
  });

  test("the next event of a stream may take for ever", () => {
    const quiet = { ...ANSWERING, isEventStream: true, silentMs: Number.MAX_SAFE_INTEGER };
    expect(overdue(quiet, CLIENT, UPSTREAM)).toBeUndefined();
    const unlimited = { ...UPSTREAM, totalTimeoutMs: 0 };
    expect(overdue({ ...quiet, totalMs: Number.MAX_SAFE_INTEGER }, CLIENT, unlimited)).toBeUndefined();
  });
});

describe("a body that comes slowly", () => {
  const client = { ...CLIENT, bodyRateMin: 500 };
  const sending = { ...WAITING, isAwaitingBody: true };

  test.for([
    { what: "nothing", bytesIn: 0, limitMs: 500 },
    { what: "a byte", bytesIn: 1, limitMs: 502 },
    { what: "as many bytes as are asked for in a second", bytesIn: 500, limitMs: 1500 },
  ])("has the grace time, and for $what so much more", ({ bytesIn, limitMs }) => {
    expect(overdue({ ...sending, bytesIn, awaitedMs: limitMs }, client, UPSTREAM)).toBeUndefined();
    expect(overdue({ ...sending, bytesIn, awaitedMs: limitMs + 1 }, client, UPSTREAM)).toMatchObject({
      code: "request_timeout",
      note: "client sends too slowly",
    });
  });

  const late = { ...sending, awaitedMs: Number.MAX_SAFE_INTEGER };

  test("may come as slowly as it likes where the rate is 0", () => {
    expect(overdue(late, CLIENT, UPSTREAM)).toBeUndefined();
  });

  test("is not blamed while it is the upstream's turn, nor once the answer has begun", () => {
    expect(overdue({ ...late, isAwaitingBody: false }, client, UPSTREAM)).toBeUndefined();
    expect(overdue({ ...late, hasResponseHead: true }, client, UPSTREAM)).toBeUndefined();
  });
});

describe("the whole exchange", () => {
  test.for([
    WAITING,
    ANSWERING,
    { ...ANSWERING, isEventStream: true },
    { ...ANSWERING, isClientBlocked: true },
  ])("ends after its limit, however lively: %o", (standing) => {
    expect(overdue({ ...standing, totalMs: 1000 }, CLIENT, UPSTREAM)).toBeUndefined();
    expect(overdue({ ...standing, totalMs: 1001 }, CLIENT, UPSTREAM)).toMatchObject({
      code: "upstream_timeout",
      note: "total timeout",
    });
  });

  test("has no limit at zero", () => {
    const unlimited = { ...UPSTREAM, totalTimeoutMs: 0 };
    expect(overdue({ ...ANSWERING, totalMs: Number.MAX_SAFE_INTEGER }, CLIENT, unlimited)).toBeUndefined();
  });

  test("has one from a millisecond on, and it is told before any silence", () => {
    const silent = { ...WAITING, totalMs: 2, silentMs: 5000 };
    expect(overdue(silent, CLIENT, { ...UPSTREAM, totalTimeoutMs: 1 })).toMatchObject({
      note: "total timeout",
    });
  });
});
