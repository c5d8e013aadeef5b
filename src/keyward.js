#!/usr/bin/env node
/**
 * The launcher. Any Node of the last decade can read it, so that an old one says what is missing
 * instead of choking on TypeScript. Knows only the version that src/ needs.
 */

// Runs .ts files without flags, and has the HTTP parser fixes that the gate relies on.
const NEEDED = [26, 5, 1];

const found = process.versions.node.split(".").map(Number);

function isOlder(version) {
  const at = version.findIndex((part, index) => part !== NEEDED[index]);
  return at >= 0 && version[at] < NEEDED[at];
}

if (isOlder(found)) {
  process.exitCode = 1;
  console.error(
    "keyward needs Node " +
      NEEDED.join(".") +
      " or later; this is Node " +
      process.versions.node +
      ".\n" +
      "After `npm ci`, `npm start` and `npm run keyward -- <command>` use the Node that came with it.",
  );
} else {
  // Caches the stripped and compiled sources; where it cannot, only the start is slower.
  import("node:module")
    .then((module) => module.enableCompileCache())
    .catch(() => undefined)
    .then(() => import("./main.ts"))
    .then((main) => main.start())
    .catch((error) => {
      console.error(error);
      process.exitCode = 1;
      // A worker that cannot even be loaded has to end, or nobody replaces it.
      if (process.channel) process.channel.unref();
    });
}
