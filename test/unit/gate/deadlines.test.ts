import { describe, expect, test } from "vitest";
import { overdue, type Standing } from "../../../src/gate/deadlines.ts";

const CLIENT = { bodyIdleMs: 100, readIdleMs: 200 };
const UPSTREAM = { headersTimeoutMs: 300, idleTimeoutMs: 400, totalTimeoutMs: 1000 };

const WAITING: Standing = {
  totalMs: 0,
  silentMs: 0,
  isClientBlocked: false,
  isAwaitingBody: false,
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
