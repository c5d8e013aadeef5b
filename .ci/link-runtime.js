/**
 * Runs after `npm ci`, on whatever old Node is there: makes node_modules/.bin/node the pinned
 * runtime, so that npm scripts use it. One package per platform brings that file; npm 10 removes
 * the link again when it discards the packages of the other platforms.
 */
import { lstatSync, readdirSync, symlinkSync } from "node:fs";

const { platform, arch } = process;
const os = platform === "win32" ? "win" : platform;
const modules = new URL("../node_modules/", import.meta.url);
const names = [`node-${os}-${arch}`, `node-bin-${os}-${arch}`];
const installed = new Set(readdirSync(modules));
const runtime = names.find((name) => installed.has(name));
const link = new URL(".bin/node", modules);

if (
  platform !== "win32" &&
  runtime !== undefined &&
  lstatSync(link, { throwIfNoEntry: false }) === undefined
) {
  symlinkSync(`../${runtime}/bin/node`, link);
}
