/** What a gate's config becomes when it is read. */
import { expect, test } from "vitest";
import { configOf } from "./config-text.ts";

test("a config of three lines has every default, in milliseconds and bytes", () => {
  const config = configOf("");
  expect(config.listen).toEqual({ host: "0.0.0.0", port: 8080 });
  expect(config.upstreams["default"]?.timeouts).toEqual({
    connect: 2000,
    headers: 60_000,
    idle: 300_000,
    total: 0,
  });
  expect(config.credentials).toEqual([
    { header: "authorization", schemes: ["Bearer"] },
    { header: "x-api-key" },
  ]);
  expect(config.bounds.body).toBe(64 * 1024 * 1024);
  expect(config.identity).toMatchObject({ organization: "X-Org-Id", folders: null });
  expect(config.errors).toEqual({ format: "problem", reveal: false, realm: "keyward", messages: {} });
  expect(config.key_format).toBeUndefined();
  expect(config.shutdown_grace).toBe(25_000);
});

test("methods in any case become upper case, credential headers lower case", () => {
  const config = configOf(
    "routes: [{ path: /a, methods: [get, Post] }]\ncredentials: [{ header: X-API-Key }]",
  );
  expect(config.routes[0]?.methods).toEqual(["GET", "POST"]);
  expect(config.credentials[0]?.header).toBe("x-api-key");
});

test("sizes are plain bytes or have a unit", () => {
  expect(configOf("bounds: { body: 1000, header_bytes: 32KiB }").bounds).toMatchObject({
    body: 1000,
    header_bytes: 32_768,
  });
});

test("unix sockets and several upstreams by environment", () => {
  const config = configOf(
    "upstreams: { default: { url: unix:/run/m.sock }, sandbox: { url: https://s.example:8443 } }\n" +
      "routes: [{ path: /a, upstream: { live: default, test: sandbox } }]",
  );
  expect(config.routes[0]?.upstream).toEqual({ live: "default", test: "sandbox" });
  expect(config.upstreams["default"]?.url).toBe("unix:/run/m.sock");
});

test.for([
  "errors: { format: { error: { code: '{{code}}', status: 5, x: [null, '{{detail}}'] } } }",
  `errors: { format: '{"error":{"code":"{{code}}","status":5,"x":[null,"{{detail}}"]}}' }`,
])("a template is a mapping or a text of JSON: %s", (text) => {
  expect(configOf(text).errors.format).toEqual({
    error: { code: "{{code}}", status: 5, x: [null, "{{detail}}"] },
  });
});

test("an identity header is switched off by null", () => {
  expect(configOf("identity: { project: null }").identity.project).toBeNull();
});

test("networks of both families", () => {
  const networks = "[10.0.0.0/8, 192.0.2.1, '::1', 2001:db8::/32, 0.0.0.0/0]";
  expect(configOf(`trusted_proxies: ${networks}`).trusted_proxies).toHaveLength(5);
});
