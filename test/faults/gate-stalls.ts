/**
 * Loaded into the gate of a storm before the gate itself (`node --import`): tells on standard error
 * when that process was held up, so that a busy machine is not taken for a gate that dawdles.
 */
import { formatStall, watchForStalls } from "./stall-watch.ts";

watchForStalls((span) => void process.stderr.write(`${formatStall(span)}\n`));
