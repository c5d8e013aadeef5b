/** What holds on every case, whatever its verdict: I1 to I6 of test/wire/README.md. */
import type { HttpMessage } from "../../support/http-message.ts";
import type { Words } from "./bytes.ts";
import type { Observation } from "./observe.ts";
import { logLinesOf } from "./scene.ts";

const SECRETS = ["KEY_A", "KEY_B", "KEY_N", "KEY_REV", "KEY_EXP", "HASH_A"] as const;
const IDENTITY = [
  "x-org-id",
  "x-project-id",
  "x-environment",
  "x-key-id",
  "x-folder-ids",
  "x-scope",
  "x-scopes",
];
const PROBE_LIMIT_MS = 1000;

/** @returns every invariant that is broken, and how */
export function brokenInvariants(seen: Observation, words: Words): readonly string[] {
  return [
    ...forwardedAsDeserved(seen),
    ...seen.forwarded.flatMap(identityOf),
    ...secretsSeen(seen, words),
    ...answersOf(seen),
    ...(Number(seen.probe) <= PROBE_LIMIT_MS ? [] : [`I5: the next clean request: ${String(seen.probe)}`]),
    ...(seen.answers.some(({ status }) => status === 500) ? ["I6: 500"] : []),
    ...bugsLogged(seen),
  ];
}

/** I1, and the half of I2 that compares identities: each message is one that deserves it, once. */
function forwardedAsDeserved(seen: Observation): readonly string[] {
  const open = seen.sent.requests.filter(({ deserves }) => deserves !== undefined);
  const broken: string[] = seen.problems.map((problem) => `I1: the upstream was sent ${problem}`);
  for (const message of seen.forwarded) {
    const organization = message.values("x-org-id")[0];
    const at = open.findIndex(
      (request) => request.method === message.method && request.deserves?.organization === organization,
    );
    if (at === -1) broken.push(`I1/I2: ${message.startLine} as ${organization} was not deserved`);
    else open.splice(at, 1);
  }
  return broken;
}

/** I2: exactly one X-Org-Id or none at all, and no other spelling of any identity field. */
function identityOf(message: HttpMessage): readonly string[] {
  const broken: string[] = [];
  for (const name of IDENTITY) {
    const spelled = message.fields.filter(([field]) => field.toLowerCase().replaceAll("_", "-") === name);
    if (spelled.length > 1 || spelled.some(([field]) => field.includes("_"))) {
      broken.push(`I2: ${name} as ${JSON.stringify(spelled)}`);
    }
  }
  const isPublic = message.target.startsWith("/healthz");
  const organizations = message.values("x-org-id").length;
  if (organizations !== (isPublic ? 0 : 1)) broken.push(`I2: ${organizations} X-Org-Id`);
  return broken;
}

/** I3. The digest is no secret, but it has no business outside either. */
function secretsSeen(seen: Observation, words: Words): readonly string[] {
  return secretsIn(seen.bytes + seen.log, words).map((name) => `I3: ${name} at the upstream or in the log`);
}

/** @returns names of the secrets that stand in the text */
export function secretsIn(text: string, words: Words): readonly string[] {
  return SECRETS.filter((name) => text.includes(words[name] ?? ""));
}

/** I4, by the strict reader. */
function answersOf(seen: Observation): readonly string[] {
  const broken: string[] = [];
  if (seen.problem !== undefined) broken.push(`I4: the answer has ${seen.problem}`);
  if (seen.answers.length > seen.sent.answersMax) {
    broken.push(`I4: ${seen.answers.length} answers to ${seen.sent.answersMax} requests`);
  }
  return broken;
}

/** I6, where the client did not see it. */
function bugsLogged(seen: Observation): readonly string[] {
  return logLinesOf(seen.log)
    .filter((line) => line["level"] === "error" || line["level"] === "fatal" || Number(line["level"]) >= 50)
    .map((line) => `I6: logged ${JSON.stringify(line).slice(0, 400)}`);
}
