/** How much memory a process has resident, by /proc; elsewhere than on Linux nobody knows. */
import { readFileSync } from "node:fs";

const SAMPLE_MS = 20;

/** NaN where there is no /proc. */
export function residentBytes(pid: number): number {
  if (process.platform !== "linux") return Number.NaN;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Runs `work` and says how far the process grew at its peak beyond where it began. */
export async function growthDuring(pid: number, work: () => Promise<unknown>): Promise<number> {
  const beforeBytes = residentBytes(pid);
  let peakBytes = beforeBytes;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(pid));
  }, SAMPLE_MS);
  try {
    await work();
  } finally {
    clearInterval(sampling);
  }
  return Math.max(peakBytes, residentBytes(pid)) - beforeBytes;
}
