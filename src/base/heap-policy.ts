/**
 * How V8 is to keep house in a gate: two settings that its defaults, made for browsers, have wrong for
 * a long-lived proxy. Where one is not to be had nothing happens.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Once per process, when all is loaded and before anybody waits for an answer. */
export function settleHeap(): void {
  weighBuffersWithHeap();
  compactHeap();
}

/**
 * By default 32 MB of new buffers are reason enough for a collection of the whole heap, however little
 * of it is garbage. Uploads make that much every few milliseconds, and half of their cost was looking
 * through keys that nobody had touched. Weighed together with the heap, buffers are garbage of the
 * young generation, which is cheap; memory stays in the same bounds.
 */
function weighBuffersWithHeap(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}

/** As V8's gc extension takes it; `last-resort` is the flavour that also lets go of spare pages. */
type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

/**
 * Gives back the memory that a start has used up. While a config and thousands of keys are read, V8
 * widens the space for young objects and keeps it: measured, 62 MB after a file of 10,000 keys, of
 * which nothing is in use. One full collection returns it. V8 widens it again when traffic needs it.
 */
function compactHeap(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") {
    (collect as Collect)({ type: "major", execution: "sync", flavor: "last-resort" });
  }
}
