/**
 * A gate's side of a large registry: time to ready, memory a key, how long the event loop is held up,
 * and time from a change to its effect; in `mode: sync` and `lookup`, from Keyward's own registry on a
 * SQLite file and from one that makes its keys up. The figures stand in README.md.
 *
 *   npm run bench:registry -- [--keys 1000000] [--from made-up|own] [--mode sync|lookup]
 *                             [--unique] [--snapshot-file] [--json]
 */
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import { compileKey } from "../src/gate/identity.ts";
import { KeyCache } from "../src/keys/cache.ts";
import { KeyCounterTable } from "../src/keys/counters.ts";
import { digestOf } from "../src/keys/digest.ts";
import { RegistryClient } from "../src/keys/registry-client.ts";
import { RegistryKeySource } from "../src/keys/registry-source.ts";
import { ScopeTable } from "../src/keys/scope-table.ts";
import { percentile } from "../test/support/figures.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { type BenchRegistry, startMadeUp, startOwn } from "./registry-behind.ts";
import { secretAt } from "./registry-records.ts";
