/** The version of this build, from the package it runs in. */
import manifest from "../../package.json" with { type: "json" };

export const { version } = manifest;
