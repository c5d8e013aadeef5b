/**
 * Notices when this process itself was held up, by a busy machine or by a signal. What others did
 * meanwhile cannot be judged by how long it took.
 */
export interface Span {
  /** Since the epoch, so that processes can compare them. */
  readonly fromMs: number;
  readonly toMs: number;
}

const TICK_MS = 50;
const STALL_MIN_MS = 250;

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** @returns what ends the watch */
export function watchForStalls(stalled: (span: Span) => void): () => void {
  let lastMs = nowMs();
  const timer = setInterval(() => {
    const toMs = nowMs();
    if (toMs - lastMs > TICK_MS + STALL_MIN_MS) stalled({ fromMs: lastMs, toMs });
    lastMs = toMs;
  }, TICK_MS).unref();
  return () => clearInterval(timer);
}

/** A line that tells a stall to another process, and back. */
export function formatStall({ fromMs, toMs }: Span): string {
  return `stalled ${Math.floor(fromMs)} ${Math.ceil(toMs)}`;
}

export function readStalls(output: string): readonly Span[] {
  return [...output.matchAll(/^stalled (\d+) (\d+)$/gm)].map(([, from, to]) => ({
    fromMs: Number(from),
    toMs: Number(to),
  }));
}
