/** From the credential to the key behind it: format, look-up, dates, and what it may stand beside. */
import { afterEach, describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import type { Decision } from "../../../src/gate/decide.ts";
import type { Resolution } from "../../../src/keys/source.ts";
import { type KeyFields, type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { admittedOf, codeOf, GateScene, NOW_MS, type SceneOptions } from "../../support/gate-scene.ts";
import { ManualSource } from "../../support/manual-source.ts";

const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

function sceneOf(options: SceneOptions): GateScene {
  const scene = new GateScene(options);
  scenes.push(scene);
  return scene;
}

const bearer = (secret: string): string[] => ["Authorization", `Bearer ${secret}`];
const iso = (ms: number): string => new Date(ms).toISOString();

describe("dates are judged at each request, to the millisecond", () => {
  /** The code before, at and after an instant, for a key that was cached before. */
  function codesAround(fields: KeyFields, instantMs: number): readonly string[] {
    const key = makeKey(fields);
    const scene = sceneOf({ keys: [key] });
    const ask = (): string => scene.code({ headers: bearer(key.secret) });
    ask();
    scene.clock.advance(instantMs - NOW_MS - 1);
    const codes = [ask()];
    scene.clock.advance(1);
    codes.push(ask());
    scene.clock.advance(1);
    return [...codes, ask()];
  }

  const instantMs = NOW_MS + 30_000;
  const at = iso(instantMs);

  test("a key ends at its expiry, not after it", () => {
    expect(codesAround({ expires_at: at }, instantMs)).toEqual(["admitted", "key_expired", "key_expired"]);
  });

  test("a key begins at not_before, not before it", () => {
    expect(codesAround({ not_before: at }, instantMs)).toEqual(["key_not_yet_valid", "admitted", "admitted"]);
  });

  test("a revoked key is revoked whatever the date says: a clock may be behind", () => {
    expect(codesAround({ revoked_at: at }, instantMs)).toEqual(["key_revoked", "key_revoked", "key_revoked"]);
    expect(codesAround({ revoked_at: iso(NOW_MS - 1) }, instantMs)[0]).toBe("key_revoked");
  });

  test("revoked is told before expired, and expired before not yet valid", () => {
    const past = iso(NOW_MS - 1);
    const codeFor = (fields: KeyFields): string | undefined => codesAround(fields, instantMs)[0];
    expect(codeFor({ revoked_at: past, expires_at: past, not_before: iso(NOW_MS + 60_000) })).toBe(
      "key_revoked",
    );
    expect(codeFor({ expires_at: past, not_before: iso(NOW_MS + 60_000) })).toBe("key_expired");
  });

  test("a time zone is part of a date", () => {
    const key = makeKey({ expires_at: "2026-01-01T02:00:00.001+02:00" });
    const scene = sceneOf({ keys: [key] });
    expect(scene.code({ headers: bearer(key.secret) })).toBe("admitted");
    scene.clock.advance(1);
    expect(scene.code({ headers: bearer(key.secret) })).toBe("key_expired");
  });
});

describe("a source that answers late gives the decisions of one that answers at once", () => {
  const found = (key: KeyFixture): Resolution => ({ kind: "found", record: key.record });
  const good = makeKey();
  const down: Resolution = { kind: "unavailable", retryAfterSeconds: 7, note: "registry is down" };

  test.for<[what: string, answer: Resolution, code: string]>([
    ["a good key", found(good), "admitted"],
    ["an unknown key", { kind: "unknown" }, "key_invalid"],
    ["a revoked key", found(makeKey({ secret: good.secret, revoked_at: iso(NOW_MS) })), "key_revoked"],
    ["an expired key", found(makeKey({ secret: good.secret, expires_at: iso(NOW_MS) })), "key_expired"],
    [
      "an early key",
      found(makeKey({ secret: good.secret, not_before: iso(NOW_MS + 1) })),
      "key_not_yet_valid",
    ],
    ["a key without scopes", found(makeKey({ secret: good.secret, scopes: [] })), "scope_missing"],
    ["no answer", down, "registry_unavailable"],
  ])("for %s", async ([, answer, code]) => {
    const request = { headers: bearer(good.secret) };
    const early = new ManualSource();
    early.immediate = () => answer;
    const now = sceneOf({ source: early }).decide(request);
    expect(codeOf(now)).toBe(code);

    const late = new ManualSource();
    const scene = sceneOf({ source: late });
    const waiting = scene.ask(request);
    expect(waiting).toBeInstanceOf(Promise);
    expect(scene.exchange.key).toBeUndefined();
    late.questions[0]?.answer(answer);
    const then = await waiting;
    expect(codeOf(then)).toBe(code);
    if (now instanceof Denial) expect(then).toEqual(now);
  });

  test("and the next decision does not wait", async () => {
    const source = new ManualSource();
    const scene = sceneOf({ source });
    const waiting = scene.ask({ headers: bearer(good.secret) });
    source.questions[0]?.answer(found(good));
    expect(admittedOf(await waiting).secret).toBe(good.secret);
    expect(scene.exchange.key?.id).toBe(good.record.id);
    expect(scene.code({ headers: bearer(good.secret) })).toBe("admitted");
    expect(source.questions).toHaveLength(1);
  });

  test("the clock is read when the answer is there", async () => {
    const source = new ManualSource();
    const scene = sceneOf({ source });
    const waiting = scene.ask({ headers: bearer(good.secret) });
    scene.clock.advance(5000);
    source.questions[0]?.answer(found(makeKey({ secret: good.secret, expires_at: iso(NOW_MS + 5000) })));
    expect(codeOf(await waiting)).toBe("key_expired");
  });

  test("not knowing is never the same as unknown: 503, with a time to come back", async () => {
    const source = new ManualSource();
    const scene = sceneOf({ source });
    const waiting = scene.ask({ headers: bearer(good.secret) });
    source.questions[0]?.answer(down);
    expect(await waiting).toMatchObject({
      code: "registry_unavailable",
      note: "registry is down",
      retryAfterSeconds: 7,
    });
    const failed = scene.ask({ headers: bearer(good.secret) });
    source.questions[1]?.fail(new Error("socket closed"));
    expect(codeOf(await failed)).toBe("registry_unavailable");
  });
});

describe("garbage never reaches the source", () => {
  const key = makeKey();

  test.for<[secret: string, note: string]>([
    ["mem_live_short", "key format: length"],
    [`mem_live_${"x".repeat(300)}`, "key format: length"],
    ["xyz_live_0123456789abcdef", "key format: prefix"],
    ["mem_prod_0123456789abcdef", "key format: environment"],
    ["mem_live_0123456789abcde!", "key format: alphabet"],
    ["MEM_live_0123456789abcdef", "key format: prefix"],
    [key.record.digest, "key format: prefix"],
  ])("%s", ([secret, note]) => {
    const source = new ManualSource();
    const scene = sceneOf({ source });
    expect(scene.decide({ headers: ["X-Api-Key", secret] })).toMatchObject({ code: "key_invalid", note });
    expect(source.questions).toEqual([]);
  });

  test("the digest that is stored is no key", () => {
    const scene = sceneOf({ keys: [key], config: { key_format: undefined } });
    for (const secret of [key.record.digest.slice("sha256:".length), key.record.digest.replace(":", "_")]) {
      expect(scene.decide({ headers: ["X-Api-Key", secret] })).toMatchObject({
        code: "key_invalid",
        note: "unknown key",
      });
    }
  });

  test("a key that differs in one character or its case is another key", () => {
    const scene = sceneOf({ keys: [key] });
    const { secret } = key;
    const swapped = secret.slice(0, 9) + secret.slice(9).toUpperCase();
    for (const other of [secret.slice(0, -1), `${secret}x`, swapped]) {
      expect(scene.code({ headers: ["X-Api-Key", other] }), other).toBe("key_invalid");
    }
    expect(scene.code({ headers: ["X-Api-Key", secret] })).toBe("admitted");
  });
});

describe("a key in the target is refused: it would stand in logs, here and at the upstream", () => {
  const secret = "abc.DEF~ghi+jkl/mno=";
  const key = makeKey({ secret });

  function decisionFor(target: string, host = "gate.test"): Decision {
    const scene = sceneOf({ keys: [key], config: { key_format: undefined } });
    return scene.decide({ target, host, headers: ["X-Api-Key", secret] });
  }

  test.for([
    `/v1/memories?api_key=${secret}`,
    `/v1/memories?x&${secret}&y`,
    `/v1/memories?api_key=${encodeURIComponent(secret)}`,
    "/v1/memories?k=abc.DEF~ghi%2bjkl%2fmno%3d",
    "/v1/memories?k=%61bc.DEF~ghi+jkl/mno=",
    `/v1/memories/${secret}`,
    `/v1/memories/x${secret}y`,
    "/v1/memories/abc.DEF%7Eghi%2Bjkl/mno%3D",
  ])("%s", (target) => {
    expect(codeOf(decisionFor(target))).toBe("credential_in_target");
  });

  test("and in Host, which is a part of it", () => {
    const plain = makeKey({ secret: "abcdefghijklmnop" });
    const scene = sceneOf({ keys: [plain], config: { key_format: undefined } });
    const headers = ["X-Api-Key", plain.secret];
    expect(scene.code({ host: `x.${plain.secret}.test`, headers })).toBe("credential_in_target");
  });

  test.for([
    "/v1/memories?api_key=another",
    `/v1/memories?k=${secret.slice(0, -1)}`,
    `/v1/memories?k=${secret.toLowerCase()}`,
    "/v1/memories/abc.DEF",
  ])("%s holds no key", (target) => {
    expect(codeOf(decisionFor(target))).toBe("admitted");
  });

  test("before anybody is asked about the key", () => {
    const source = new ManualSource();
    const scene = sceneOf({ source });
    const unknown = makeKey().secret;
    expect(scene.code({ target: `/v1/memories?${unknown}`, headers: bearer(unknown) })).toBe(
      "credential_in_target",
    );
    expect(source.questions).toEqual([]);
  });
});
