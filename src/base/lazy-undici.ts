/**
 * undici, read and compiled when something first needs it: most gates speak plain text to their
 * backend and carry no WebSocket, and would pay its memory and some of their start for nothing.
 */
import { createRequire } from "node:module";
import type * as undiciModule from "undici";

type Undici = typeof undiciModule;

const require = createRequire(import.meta.url);
let loaded: Undici | undefined;

export function undici(): Undici {
  return (loaded ??= require("undici") as Undici);
}
