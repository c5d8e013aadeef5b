/**
 * Starts a registry that has seen some weeks, for whoever works on the console:
 * `node test/console/seed.ts [--keys 10000] [--port 8090] [--no-gates] [--insecure] [--json]`.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { startConsoleScene } from "../support/console-scene.ts";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "40" },
    port: { type: "string", default: "8090" },
    "no-gates": { type: "boolean", default: false },
    insecure: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await using scene = await startConsoleScene({
  keys: Number(values.keys),
  port: Number(values.port),
  hasGates: !values["no-gates"],
  isInsecure: values.insecure,
  gateUrl: "https://memory.example.com",
});
const page = `${scene.url}/console/`;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ console: page, url: scene.url, tokens: scene.tokens })}\n`
    : `${page}\n  admin     ${scene.tokens.admin}\n  operator  ${scene.tokens.operator}\n  viewer    ${scene.tokens.viewer}\n`,
);
await stopped;
