/** Runs one upstream case: a plain request, an answer that is not plain, and what the client makes of it. */
import type { HttpMessage } from "../../support/http-message.ts";
import { type Ending, type RawClient, connectRaw } from "../../support/raw-client.ts";
import type { RawBehaviour, RawConnection } from "../../support/raw-upstream.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Step, Words } from "./bytes.ts";
import type { WireScene } from "./scene.ts";

/** How the upstream treats the next messages; probes are answered all the same. */
export class Script {
  #behaviour: RawBehaviour = {};
  #used = new Set<RawConnection>();

  readonly behaviour: RawBehaviour = {
    onHead: (message, connection) => {
      this.#used.add(connection);
      this.#behaviour.onHead?.(message, connection);
    },
    onMessage: (message, connection) => this.#behaviour.onMessage?.(message, connection),
  };

  play(behaviour: RawBehaviour): void {
    this.#behaviour = behaviour;
    this.#used = new Set();
  }

  /** Connections on which a message of the case came. */
  get used(): readonly RawConnection[] {
    return [...this.#used];
  }
}

/** Sends the bytes to each message; `{{FIN}}` ends the connection behind them. */
export function sending(steps: readonly Step[]): RawBehaviour {
  return {
    onMessage: (_message, connection) => {
      for (const step of steps) {
        if (step.kind === "bytes") connection.send(step.text);
        else if (step.kind === "half-close") connection.end();
      }
    },
  };
}

export interface UpstreamObservation {
  /** The final answer, whole or not; undefined when not even its head came. */
  readonly answer: HttpMessage | undefined;
  readonly interims: readonly HttpMessage[];
  readonly received: string;
  readonly ending: Ending;
  readonly problem: string | undefined;
  /** Messages of the case at the upstream. */
  readonly attempts: number;
  /** The gate gave up every connection that the case used. */
  readonly isGivenUp: boolean;
  /** Milliseconds of each of the next two clean requests, or why one failed. */
  readonly probes: readonly (number | Error)[];
  readonly log: string;
}

export function requestFor(words: Words, line = "GET /v1/memories HTTP/1.1", rest = "\r\n"): string {
  return `${line}\r\nHost: gw.local\r\nAuthorization: Bearer ${words["KEY_A"]}\r\n${rest}`;
}

export async function observeUpstreamCase(
  scene: WireScene,
  script: Script,
  request: string,
): Promise<UpstreamObservation> {
  scene.startRecording();
  await using client = await connectRaw(scene.gate.url);
  client.expect(request.split(" ")[0] ?? "");
  client.send(request);
  await settle(client);
  // What came back is read as it stands: closing our side must not look like the gate's doing.
  const { ending } = client;
  const used = script.used;
  const probes: (number | Error)[] = [];
  for (let i = 0; i < 2; i++) {
    probes.push(await scene.probe({ untilLogged: false }).catch((error: unknown) => error as Error));
  }
  return {
    answer: client.messages.find(({ status }) => status >= 200 || status === 101),
    interims: client.messages.filter(({ status }) => status < 200 && status !== 101),
    received: client.received,
    ending,
    problem: client.problem,
    attempts: scene.recording().forwarded.length,
    isGivenUp: used.every(({ hasEnded, socket }) => hasEnded || socket.destroyed),
    probes,
    log: scene.recording().log,
  };
}

async function settle(client: RawClient): Promise<void> {
  const isSettled = (): boolean =>
    client.ending !== "open" ||
    client.messages.some(({ status, isComplete }) => isComplete && (status >= 200 || status === 101));
  await waitFor("the answer or the end", isSettled, { deadlineMs: 5000, everyMs: 3 }).catch(() => undefined);
  const closes = client.messages.some((message) => message.values("connection").includes("close"));
  if (closes) await client.closed();
}
