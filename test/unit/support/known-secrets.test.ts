/** The sweep that every gate's output goes through would find what it looks for. */
import { expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { assertNoSecretIn, secretsIn } from "../../support/known-secrets.ts";

test("it finds a key and a digest, as words of their own and inside others", () => {
  const { secret, record } = makeKey();
  const hex = record.digest.replace("sha256:", "");
  expect(secretsIn(`{"authorization":"Bearer ${secret}"}`)).toEqual([`the key of ${record.id}`]);
  expect(secretsIn(`x${secret}x`)).toEqual([`the key of ${record.id}`]);
  expect(secretsIn(`unknown key ${record.digest}`)).toEqual([`the digest of ${record.id}`]);
  expect(secretsIn(`${hex.slice(1)} ${secret.slice(0, -1)} ${record.id}`)).toEqual([]);
});

test("it finds the first of very many keys", () => {
  const first = makeKey();
  for (let i = 0; i < 300; i++) makeKey();
  expect(() => assertNoSecretIn(`GET /?key=${first.secret}&x`, "a log")).toThrow(first.record.id);
  expect(() => assertNoSecretIn("nothing of the kind", "a log")).not.toThrow();
});
