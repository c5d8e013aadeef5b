/**
 * Tells V8 to weigh what buffers hold together with the heap. By default 32 MB of new buffers are
 * reason enough for a collection of the whole heap, however little of it is garbage: uploads make
 * that much every few milliseconds, and three quarters of their cost was going through keys that
 * nobody had touched. The limit grows with the heap now, by at most 1.3 times what is alive.
 */
import { setFlagsFromString } from "node:v8";

/** Once per process, before traffic. */
export function weighBuffersWithHeap(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
