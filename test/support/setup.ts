/**
 * Runs before each test file. Property tests get as many runs as the environment asks for, so that
 * a developer waits seconds and CI digs deeper: KEYWARD_PROPERTY_RUNS=10000 npm test.
 */
import { configureGlobal } from "fast-check";

const RUNS_DEFAULT = 200;
const RUNS_IN_CI = 1000;

const asked = Number(process.env["KEYWARD_PROPERTY_RUNS"]);
const isCI = process.env["CI"] !== undefined;

configureGlobal({ numRuns: asked > 0 ? asked : isCI ? RUNS_IN_CI : RUNS_DEFAULT });
