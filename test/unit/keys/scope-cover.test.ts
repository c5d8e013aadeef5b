/** Which scopes are held, by name, for giving them away. */
import { expect, test } from "vitest";
import { heldScopes, isHeld } from "../../../src/keys/scope-cover.ts";

const INCLUSION = new Map([
  ["owner", ["admin"]],
  ["admin", ["read", "write"]],
  ["write", ["read"]],
  ["loop", ["pool"]],
  ["pool", ["loop"]],
  ["all", ["*"]],
]);

test.for<readonly [held: readonly string[], scope: string, isHeld: boolean]>([
  [["read"], "read", true],
  [["read"], "write", false],
  [["owner"], "read", true],
  [["read"], "owner", false],
  [["loop"], "pool", true],
  [["loop"], "read", false],
  [["*"], "anything", true],
  [["*"], "*", true],
  [["all"], "billing", true],
  [["owner", "all"], "*", true],
  [["owner"], "*", false],
  [[], "read", false],
])("who holds %j holds %s: %s", ([held, scope, expected]) => {
  expect(isHeld(scope, heldScopes(held, INCLUSION))).toBe(expected);
});
