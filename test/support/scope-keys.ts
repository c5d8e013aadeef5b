/** For tables of calls and scopes: a key for each scope, which holds that scope alone. */
import { expect } from "vitest";
import { type KeyFields, type KeyFixture, makeKey } from "./fixtures.ts";
import type { Asked } from "./http-client.ts";
import type { SystemScene } from "./system-scene.ts";

/** Method, target, and the one scope that opens it. */
export type ScopedCall = readonly [method: string, target: string, scope: string];

/** By scope. @param head what the secrets begin with */
export function keyPerScope(
  head: string,
  scopes: readonly string[],
  fields: KeyFields = {},
): ReadonlyMap<string, KeyFixture> {
  return new Map(
    scopes.map((scope) => {
      const name = scope.replaceAll(/[^a-z]/g, "-");
      const secret = `${head}EXAMPLE-only-${name}-of-a-test`;
      return [scope, makeKey({ ...fields, id: `key_${name}`, secret, scopes: [scope] })];
    }),
  );
}

export interface ScopeCheck {
  readonly keys: ReadonlyMap<string, KeyFixture>;
  /** How a client sends a key. */
  readonly credential: (secret: string) => NonNullable<Asked["headers"]>;
  /** Start of the challenge. */
  readonly challenge: string;
  /** Body of the 403. */
  readonly refusal: string;
}

/** Tries the call with each key: one is let in, all others get 403 and are told what would have done. */
export async function expectOnlyScope(
  scene: SystemScene,
  [method, target, needed]: ScopedCall,
  { keys, credential, challenge, refusal }: ScopeCheck,
): Promise<void> {
  const body = method === "GET" || method === "HEAD" ? {} : { body: "{}" };
  for (const [scope, { secret }] of keys) {
    const answer = await scene.ask(target, { method, headers: credential(secret), ...body });
    if (scope === needed) {
      expect(answer.status, `${scope} opens it`).toBe(200);
      continue;
    }
    expect(answer.status, `${scope} does not open it`).toBe(403);
    expect(answer.text).toBe(method === "HEAD" ? "" : refusal);
    const told = answer.headers["www-authenticate"];
    expect(told).toContain(`${challenge}, error="insufficient_scope"`);
    expect(told).toContain(`scope="${needed}"`);
  }
  const arrived = await scene.arrived();
  expect(arrived.map((arrival) => `${arrival.method} ${arrival.target}`)).toEqual([`${method} ${target}`]);
}
