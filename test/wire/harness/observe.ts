/** Runs one case: sends its bytes, waits for the end of what comes back, and notes everything. */
import { setTimeout as delay } from "node:timers/promises";
import type { HttpMessage } from "../../support/http-message.ts";
import { type Ending, type RawClient, connectRaw } from "../../support/raw-client.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type Step, textOf } from "./bytes.ts";
import { type SentBytes, readSent } from "./policy-model.ts";
import type { Recording, WireScene } from "./scene.ts";

/** After the last answer, how long to listen for one that should not come. */
const QUIET_MS = 60;
const DEADLINE_MS = 4000;

export interface Observation extends Recording {
  readonly sent: SentBytes;
  /** Final answers, whole, in order. */
  readonly answers: readonly HttpMessage[];
  readonly interims: readonly HttpMessage[];
  /** All bytes that the client got. */
  readonly received: string;
  readonly ending: Ending;
  /** What a strict reader found wrong in the answers. */
  readonly problem: string | undefined;
  /** Status of one more request on the same connection; undefined when none was sent. */
  readonly followUp: number | undefined;
  /** What the next clean request on a new connection took, or why it failed. */
  readonly probe: number | Error;
}

export interface ExchangeWishes {
  /** Answers to wait for. */
  readonly answers: number;
  /** Wait for the gate to close. */
  readonly untilClosed: boolean;
  /** Then send one more request. */
  readonly followUp: boolean;
  /** The case looks into the log. */
  readonly log: boolean;
}

export async function observeCase(
  scene: WireScene,
  steps: readonly Step[],
  wishes: ExchangeWishes,
): Promise<Observation> {
  // Lines of the case before may still be on their way.
  if (wishes.log) await scene.probe({ untilLogged: true });
  scene.startRecording();
  const sent = readSent(textOf(steps), scene.words);
  await using client = await connectRaw(scene.gate.url);
  client.expect(...sent.requests.map(({ method }) => method));
  await send(client, steps);
  await settle(client, wishes);
  const followUp = wishes.followUp && client.ending === "open" ? await ask(client, scene) : undefined;
  const { ending } = client;
  await client[Symbol.asyncDispose]();
  const probe = await scene.probe({ untilLogged: wishes.log }).catch((error: unknown) => error as Error);
  const whole = client.messages.filter(({ isComplete }) => isComplete);
  return {
    ...scene.recording(),
    sent,
    answers: whole.filter(({ status }) => status >= 200 || status === 101),
    interims: whole.filter(({ status }) => status < 200 && status !== 101),
    received: client.received,
    ending,
    problem: client.problem,
    followUp,
    probe,
  };
}

async function send(client: RawClient, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (client.socket.destroyed) return;
    if (step.kind === "bytes") client.send(step.text);
    else if (step.kind === "pause") await delay(step.ms);
    else client.halfClose();
  }
}

/** Until the gate closed, or has given what is wished for and is quiet. Too late is an observation too. */
async function settle(client: RawClient, wishes: ExchangeWishes): Promise<void> {
  let seen = 0;
  let lastMs = performance.now();
  const isSettled = (): boolean => {
    if (client.ending !== "open" || client.socket.closed) return true;
    if (client.received.length > seen) {
      seen = client.received.length;
      lastMs = performance.now();
    }
    if (wishes.untilClosed) return false;
    const finals = client.messages.filter(
      ({ status, isComplete }) => isComplete && (status >= 200 || status === 101),
    );
    return finals.length >= wishes.answers && performance.now() - lastMs > QUIET_MS;
  };
  await waitFor("the exchange to settle", isSettled, { deadlineMs: DEADLINE_MS, everyMs: 3 }).catch(
    () => undefined,
  );
}

async function ask(client: RawClient, scene: WireScene): Promise<number> {
  const before = client.messages.length;
  client.send(
    `GET /v1/memories/probe-again HTTP/1.1\r\nHost: gw.local\r\nX-API-Key: ${scene.words["KEY_A"]}\r\n\r\n`,
  );
  const next = await waitFor("an answer on the same connection or its end", () =>
    client.ending === "open" ? client.messages[before] : client.ending,
  );
  return typeof next === "string" ? 0 : next.status;
}
