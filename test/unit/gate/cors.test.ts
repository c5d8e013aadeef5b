/** What browsers are told (Fetch standard, CORS protocol). */
import { describe, expect, test } from "vitest";
import { type CorsPolicy, originHeaders, preflightHeaders } from "../../../src/gate/cors.ts";

const APP = "https://app.test";
const POLICY: CorsPolicy = {
  origins: new Set([APP, "https://b.test"]),
  methods: ["GET", "PUT"],
  headers: ["authorization", "x-api-key"],
  expose: [],
  allowsCredentials: false,
  maxAgeSeconds: 600,
};

describe("an answer", () => {
  test("names the origin that asked, if it is allowed", () => {
    expect(originHeaders(POLICY, APP)).toEqual(["Vary", "Origin", "Access-Control-Allow-Origin", APP]);
  });

  test.for([
    "https://evil.test",
    "https://app.test.evil",
    "http://app.test",
    "https://APP.test",
    "null",
    "",
    "*",
  ])("names nobody to %s, but differs by origin for caches all the same", (origin) => {
    expect(originHeaders(POLICY, origin)).toEqual(["Vary", "Origin"]);
  });

  test("names nobody where no origin asked", () => {
    expect(originHeaders(POLICY, undefined)).toEqual(["Vary", "Origin"]);
    expect(originHeaders({ ...POLICY, origins: new Set(["*"]) }, undefined)).toEqual(["Vary", "Origin"]);
  });

  test("names all where all are allowed", () => {
    expect(originHeaders({ ...POLICY, origins: new Set(["*"]) }, "https://any.test")).toEqual([
      "Vary",
      "Origin",
      "Access-Control-Allow-Origin",
      "*",
    ]);
  });

  test("says what pages may read and whether cookies count, to allowed origins only", () => {
    const policy = { ...POLICY, expose: ["X-Request-Id", "Retry-After"], allowsCredentials: true };
    expect(originHeaders(policy, APP).slice(4)).toEqual([
      "Access-Control-Allow-Credentials",
      "true",
      "Access-Control-Expose-Headers",
      "X-Request-Id, Retry-After",
    ]);
    expect(originHeaders(policy, "https://evil.test")).toEqual(["Vary", "Origin"]);
    expect(originHeaders({ ...POLICY, expose: ["X-A"] }, APP).slice(4)).toEqual([
      "Access-Control-Expose-Headers",
      "X-A",
    ]);
  });
});

test("a preflight is told methods, headers and how long that holds", () => {
  expect(preflightHeaders(POLICY, APP)).toEqual([
    ...originHeaders(POLICY, APP),
    "Access-Control-Allow-Methods",
    "GET, PUT",
    "Access-Control-Allow-Headers",
    "authorization, x-api-key",
    "Access-Control-Max-Age",
    "600",
  ]);
});
