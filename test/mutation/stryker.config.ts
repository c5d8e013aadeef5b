/** Which code is mutated, and how many of the mutants the tests must notice. See README.md. */
const code = {
  gate: "decide,head,header-table,target,credential,routes,lookalikes,admit,outgoing,incoming,client-address,cors,identity",
  keys: "scope-table,format,digest",
  errors: "bodies,denial",
  base: "text-memo",
};

export default {
  mutate: Object.entries(code).map(
    ([room, files]) => `src/${room}/${files.includes(",") ? `{${files}}` : files}.ts`,
  ),
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "test/mutation/vitest.config.ts" },
  coverageAnalysis: "perTest",
  // A mutant may loop for ever; one that is only slow must not count as noticed.
  timeoutMS: 20_000,
  concurrency: 2,
  thresholds: { high: 98, low: 95, break: 95 },
  // What earlier runs found is kept as long as neither the mutant nor its tests changed; --force forgets it.
  incremental: true,
  incrementalFile: ".cache/mutation/incremental.json",
  tempDirName: ".cache/mutation/sandbox",
  reporters: ["clear-text", "html", "json"],
  clearTextReporter: { logTests: false, reportTests: false },
  htmlReporter: { fileName: ".cache/mutation/report.html" },
  jsonReporter: { fileName: ".cache/mutation/report.json" },
  ignorePatterns: [".cache", "bench", "helm", "test/{e2e,faults,fuzz,integration,registry,security,wire}"],
  // Stryker would rewrite tsconfig.json with an interface that TypeScript 7 no longer has; vitest needs no tsconfig.
  tsconfigFile: "none",
  disableTypeChecks: false,
};
