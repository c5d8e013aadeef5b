/** A key where none belongs: refused where that is certain, and kept out of the log where it is likely. */
import { afterEach, describe, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { type ConfigChange, GateScene } from "../../support/gate-scene.ts";

const key = makeKey({ secret: "mem_live_0123456789abcdef" });
const other = makeKey();
const ID = "0c9d3f52-7d1e-4b6a";
const routes = [{ path: "/public/**", public: true }, { path: "/v1/**" }];
const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

function sceneWith(config: ConfigChange = {}): GateScene {
  const scene = new GateScene({ keys: [key, other], config: { routes, ...config } });
  scenes.push(scene);
  return scene;
}

const anyToken: ConfigChange = { key_format: undefined };
const sent = ["X-Api-Key", key.secret];

describe("in the target", () => {
  test("another's key is refused as well as the caller's own", () => {
    const scene = sceneWith();
    for (const { secret } of [key, other]) {
      expect(scene.code({ target: `/v1/a?k=${secret}`, headers: sent })).toBe("credential_in_target");
      expect(scene.code({ target: `/v1/${secret}`, headers: sent })).toBe("credential_in_target");
    }
  });

  test("it is refused on a public route, with and without a key in its place", () => {
    const scene = sceneWith();
    for (const headers of [[], sent, ["X-Api-Key", "garbage"]]) {
      expect(scene.code({ target: `/public/a?k=${other.secret}`, headers })).toBe("credential_in_target");
      expect(scene.code({ target: `/public/${other.secret}`, headers })).toBe("credential_in_target");
      expect(scene.code({ target: "/public/a", host: `${other.secret}.test`, headers })).toBe(
        "credential_in_target",
      );
    }
  });

  test("where any token may be a key, the caller's own is known by its place", () => {
    const scene = sceneWith(anyToken);
    expect(scene.code({ target: `/public/a?k=${key.secret}`, headers: sent })).toBe("credential_in_target");
    expect(scene.code({ target: `/public/a?k=${key.secret}` })).toBe("admitted");
    expect(scene.code({ target: `/public/a?k=${ID}`, headers: sent })).toBe("admitted");
  });

  test("text that can be no key is none, wherever it stands besides", () => {
    const scene = sceneWith();
    expect(scene.code({ target: "/public/garbage", headers: ["X-Api-Key", "garbage"] })).toBe("admitted");
    expect(scene.code({ target: "/public/undefined" })).toBe("admitted");
  });
});

describe("on a public route", () => {
  test("a key that may be one goes along to be kept out of what is forwarded; anything else does not", () => {
    const admittedSecret = (headers: readonly string[]): string | undefined =>
      sceneWith().admit({ target: "/public/a", headers }).secret;
    expect(admittedSecret(sent)).toBe(key.secret);
    expect(admittedSecret([])).toBeUndefined();
    expect(admittedSecret(["X-Api-Key", "garbage"])).toBeUndefined();
    expect(admittedSecret([...sent, "Authorization", `Bearer ${other.secret}`])).toBeUndefined();
  });
});

describe("the path that is logged", () => {
  /** Where any long token may be a key, an id may be one too. */
  function pathLogged(target: string, headers: readonly string[], config = anyToken): string | undefined {
    const scene = sceneWith(config);
    scene.decide({ target, headers });
    return scene.exchange.path;
  }

  test("is the whole of it once the caller is known or the route is public", () => {
    expect(pathLogged(`/v1/${ID}`, sent)).toBe(`/v1/${ID}`);
    expect(pathLogged(`/public/${ID}`, [])).toBe(`/public/${ID}`);
  });

  test("goes without what may be a key where no good one was shown in its place", () => {
    for (const headers of [[], ["X-Api-Key", "short"], ["X-Api-Key", "unknown-but-long-enough"]]) {
      expect(pathLogged(`/v1/${ID}/list`, headers)).toBe("/v1/(hidden)/list");
    }
  });

  test("goes without a key that is refused in it", () => {
    for (const headers of [[], sent]) {
      expect(pathLogged(`/v1/x-${other.secret}`, headers, {})).toBe("/v1/x-(hidden)");
      expect(pathLogged(`/public/${other.secret}`, headers, {})).toBe("/public/(hidden)");
    }
  });
});
