/** The gates as they follow a change, one by one, until all have. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { listGates } from "../api/calls.ts";
import type { Propagation } from "../api/shapes.ts";
import { Badge } from "../parts/badge.tsx";
import { counted } from "../parts/wording.ts";
import { announce } from "../state/announcer.ts";
import { useLoaded } from "../state/loaded.ts";

interface PropagationViewProps {
  /** Undefined when nothing had to change. */
  readonly propagation: Propagation | undefined;
  /** What is so when all gates have followed. */
  readonly confirmed: string;
  readonly onClose: () => void;
}

const EVERY_MS = 500;

export function PropagationView({ propagation, confirmed, onClose }: PropagationViewProps): JSX.Element {
  const done = useRef<HTMLButtonElement>(null);
  useEffect(() => done.current?.focus(), []);
  return (
    <div class="stack">
      {propagation === undefined ? (
        <p>It was so already; nothing had to change.</p>
      ) : (
        <Progress propagation={propagation} confirmed={confirmed} />
      )}
      <div class="dialog-foot">
        <button ref={done} type="button" class="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </div>
  );
}

function Progress({
  propagation,
  confirmed,
}: {
  readonly propagation: Propagation;
  readonly confirmed: string;
}): JSX.Element {
  const [applied, setApplied] = useState<ReadonlySet<string>>(
    new Set(propagation.gates.filter((gate) => gate.applied).map(({ gate }) => gate)),
  );
  const all = propagation.gates.length;
  const isComplete = applied.size >= all;
  useLoaded(
    `propagation ${propagation.rev} ${isComplete}`,
    async (how) => {
      if (isComplete) return;
      const { items } = await listGates(how);
      const there = items
        .filter(({ rev }) => rev !== undefined && rev >= propagation.rev)
        .map(({ gate }) => gate);
      const known = propagation.gates.map(({ gate }) => gate).filter((gate) => there.includes(gate));
      setApplied((before) =>
        known.every((gate) => before.has(gate)) ? before : new Set([...before, ...known]),
      );
    },
    isComplete ? {} : { everyMs: EVERY_MS },
  );
  const text =
    all === 0
      ? "No gate is connected now. Gates learn of it as soon as they reach the registry."
      : `${applied.size} of ${counted(all, "gate confirms", "gates confirm")}${isComplete ? `. ${confirmed}` : "…"}`;
  useEffect(() => announce(text), [text]);
  return (
    <>
      <p class="progress-text">{text}</p>
      {all > 0 && <progress max={all} value={applied.size} aria-label="Gates that confirm" />}
      {!isComplete && (
        <p class="hint">A gate that waits follows as soon as it hears of the change. You may close this.</p>
      )}
      <ul class="gate-list">
        {propagation.gates.map(({ gate }) => (
          <li key={gate}>
            <span>{gate}</span>
            {applied.has(gate) ? (
              <Badge tone="good" icon="check" text="Confirmed" />
            ) : (
              <Badge tone="warn" icon="clock" text="Waiting" />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
