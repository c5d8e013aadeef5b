/** What a gate's config may not hold: every refusal at its line and column. */
import { describe, expect, test } from "vitest";
import { gateConfigSchema } from "../../../src/config/schema.ts";
import { faultsOf } from "./config-text.ts";

type FaultTable = readonly (readonly [text: string, ...faults: string[]])[];

const SECTIONS: Readonly<Record<string, FaultTable>> = {
  "listen, ops and workers": [
    ["listen: { prot: 1 }", '1:11: unknown key "prot" in listen; did you mean "port"?'],
    ["listen: { port: 65536 }", "1:17: listen.port: must be at most 65535"],
    ["listen: { host: '' }", "1:17: listen.host: must not be empty"],
    ["listen: { port: 9090 }", "1:1: ops.port: is the port of listen as well"],
    ["ops: { port: 8080, host: 127.0.0.1 }", "1:14: ops.port: is the port of listen as well"],
    ["workers: 0", "1:10: workers: must be at least 1"],
    ["workers: all", "1:10: workers: must be a whole number from 1 to 64, or auto"],
    ["limits: { per_key: {} }", "1:1: limits: is not supported by this version yet"],
    ["rate_limits: {}", '1:1: unknown key "rate_limits"'],
  ],
  durations: [
    [
      "shutdown_grace: 25",
      "1:17: shutdown_grace: must be a duration with its unit, such as 500ms, 30s, 5m or 24h",
    ],
    [
      "shutdown_grace: 2 s",
      "1:17: shutdown_grace: must be a duration with its unit, such as 500ms, 30s, 5m or 24h",
    ],
    ["shutdown_grace: 2h", "1:17: shutdown_grace: must be 0s to 1h"],
    ["bounds: { event_loop_delay: 1ms }", "1:29: bounds.event_loop_delay: must be 50ms to 1m, or 0s for off"],
  ],
  sizes: [
    [
      "bounds: { body: 5MB }",
      "1:17: bounds.body: must be a size such as 64KiB, 10MiB or 1GiB, or a number of bytes",
    ],
    ["bounds: { header_bytes: 1 }", "1:25: bounds.header_bytes: must be 1KiB to 1MiB"],
    [
      "bounds: { body: 1.5 }",
      "1:17: bounds.body: must be a size such as 64KiB, 10MiB or 1GiB, or a number of bytes",
    ],
  ],
  upstreams: [
    ["upstreams: {}", "1:12: upstreams: needs at least one upstream"],
    ["upstreams: { a: {} }", "1:14: upstreams.a: url is missing"],
    [
      "upstreams: { A: { url: http://x } }",
      "1:14: upstreams.A: a name is 1 to 63 characters of a-z 0-9 _ - and begins with a letter",
    ],
    ["upstreams: { a: { url: x:80 } }", "1:24: upstreams.a.url: must begin with http://, https:// or unix:/"],
    [
      "upstreams: { a: { url: ftp://x } }",
      "1:24: upstreams.a.url: must begin with http://, https:// or unix:/",
    ],
    ["upstreams: { a: { url: 'http://x:99999' } }", "1:24: upstreams.a.url: is not a valid URL"],
    [
      "upstreams: { a: { url: http://x/api } }",
      "1:24: upstreams.a.url: must be an origin: no path; the request's path is forwarded as it is",
    ],
    ["upstreams: { a: { url: 'http://x/?q' } }", "1:24: upstreams.a.url: must be an origin: no query"],
    ["upstreams: { a: { url: 'http://x/#f' } }", "1:24: upstreams.a.url: must be an origin: no fragment"],
    [
      "upstreams: { a: { url: http://me:pw@x } }",
      "1:24: upstreams.a.url: must not hold a user or password; put the backend's secret under auth",
    ],
    [
      "upstreams: { a: { url: unix:run/x.sock } }",
      "1:24: upstreams.a.url: a unix socket is written unix:/absolute/path",
    ],
    [
      "upstreams: { a: { url: unix://run/x.sock } }",
      "1:24: upstreams.a.url: a unix socket is written unix:/absolute/path",
    ],
    [
      `upstreams: { a: { url: unix:/${"x".repeat(107)} } }`,
      "1:24: upstreams.a.url: a unix socket path has at most 107 bytes",
    ],
    [
      "upstreams: { a: { url: http://x, auth: { header: x-a } } }",
      "1:40: upstreams.a.auth: needs value or value_file",
    ],
    [
      "upstreams: { a: { url: http://x, auth: { header: x-a, value: v, value_file: f } } }",
      "1:77: upstreams.a.auth.value_file: value is given as well; keep one",
    ],
    [
      "upstreams: { a: { url: http://x, auth: { header: host, value: v } } }",
      "1:50: upstreams.a.auth.header: is a header that the gate itself has to manage",
    ],
    [
      "upstreams: { a: { url: http://x, auth: { header: x-org-id, value: v } } }",
      "1:50: upstreams.a.auth.header: is a header of identity as well",
    ],
    [
      'upstreams: { a: { url: http://x, auth: { header: x-a, value: "a\\nb" } } }',
      "1:62: upstreams.a.auth.value: must not contain control characters",
    ],
    [
      "upstreams: { a: { url: http://x, auth: { header: x-a, scheme: a b, value: v } } }",
      "1:63: upstreams.a.auth.scheme: must be one word such as Bearer",
    ],
    [
      "upstreams: { a: { url: http://x, tls: { ca_file: a } } }",
      "1:39: upstreams.a.tls: needs an https:// url",
    ],
    [
      "upstreams: { a: { url: https://x, tls: { cert_file: a } } }",
      "1:53: upstreams.a.tls.cert_file: needs key_file as well",
    ],
    [
      "upstreams: { a: { url: http://x, host: both } }",
      "1:40: upstreams.a.host: must be one of upstream, client",
    ],
    [
      "upstreams: { a: { url: http://x, connections: 0 } }",
      "1:47: upstreams.a.connections: must be at least 1",
    ],
    [
      "upstreams: { a: { url: http://x, timeouts: { connect: 1ms } } }",
      "1:55: upstreams.a.timeouts.connect: must be 10ms to 5m",
    ],
  ],
  credentials: [
    ["credentials: []", "1:14: credentials: needs at least one place"],
    [
      "credentials: [{ header: Host }]",
      "1:25: credentials[0].header: is a header that the gate itself has to manage",
    ],
    [
      "credentials: [{ header: content_length }]",
      "1:25: credentials[0].header: is a header that the gate itself has to manage",
    ],
    [
      "credentials: [{ header: cookie }]",
      "1:25: credentials[0].header: is a header with a meaning of its own in HTTP; choose another name",
    ],
    ["credentials: [{ header: 'a b' }]", "1:25: credentials[0].header: must be a header name"],
    [
      "credentials: [{ header: x-a }, { header: X_A }]",
      "1:42: credentials[1].header: this header is listed already",
    ],
    [
      "credentials: [{ header: x-a, schemes: [] }]",
      "1:39: credentials[0].schemes: needs at least one scheme; leave it out for a bare key",
    ],
    [
      "credentials: [{ header: x-a, schemes: ['a b'] }]",
      "1:40: credentials[0].schemes[0]: must be one word such as Bearer",
    ],
    [
      `credentials: [${Array.from({ length: 17 }, (_, i) => `{ header: x-${i} }`).join(", ")}]`,
      "1:14: credentials: must have at most 16 entries",
    ],
  ],
  "key_format, keys and cache": [
    [
      "key_format: { prefix: Mem }",
      "1:23: key_format.prefix: must be 1 to 16 characters of a-z 0-9, beginning with a letter",
    ],
    [
      "key_format: { prefix: [a, B_] }",
      "1:27: key_format.prefix[1]: must be 1 to 16 characters of a-z 0-9, beginning with a letter",
    ],
    [
      "key_format: { environments: [live_1] }",
      "1:30: key_format.environments[0]: must be 1 to 32 characters of a-z 0-9 -",
    ],
    ["keys: {}", "1:7: keys: needs file or registry"],
    [
      "keys: { file: a, registry: { url: http://r } }",
      "1:28: keys.registry: file is given as well; keep one",
    ],
    ["keys: { registry: {} }", "1:9: keys.registry: url is missing"],
    ["keys: { registry: { url: r:8090 } }", "1:26: keys.registry.url: must be an http:// or https:// URL"],
    [
      "keys: { registry: { url: 'http://me:pw@r/' } }",
      "1:26: keys.registry.url: must not hold a user or password; use token",
    ],
    [
      "keys: { registry: { url: 'http://r/?a' } }",
      "1:26: keys.registry.url: must have no query and no fragment",
    ],
    [
      "keys: { registry: { url: http://r, token: a, token_file: b } }",
      "1:58: keys.registry.token_file: token is given as well; keep one",
    ],
    [
      "keys: { registry: { url: http://r, tls: { cert_file: a } } }",
      "1:54: keys.registry.tls.cert_file: needs key_file as well",
    ],
    [
      "keys: { registry: { url: http://r, gate: a b } }",
      "1:42: keys.registry.gate: must be characters of A-Z a-z 0-9 . _ -",
    ],
    [
      "keys: { registry: { url: http://r, mode: push } }",
      "1:42: keys.registry.mode: must be one of sync, lookup, auto",
    ],
    ["cache: { max_key: 1 }", '1:10: unknown key "max_key" in cache; did you mean "max_keys"?'],
    ["cache: { max_keys: 0 }", "1:20: cache.max_keys: must be at least 1"],
  ],
  "scopes and routes": [
    ["scopes: { '*': [read] }", "1:11: scopes.*: * is everything already"],
    [
      "scopes: { admin: [a b] }",
      "1:19: scopes.admin[0]: must be * or 1 to 128 characters of A-Z a-z 0-9 . _ : / -",
    ],
    ["routes: []", "1:9: routes: needs at least one route: what no route names is refused"],
    ["routes: [{ methods: [GET] }]", "1:10: routes[0]: path is missing"],
    [
      "routes: [{ path: /a, methods: [] }]",
      "1:31: routes[0].methods: needs at least one method; leave it out for all",
    ],
    [
      "routes: [{ path: /a, methods: [FETCH] }]",
      "1:32: routes[0].methods[0]: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY",
    ],
    [
      "routes: [{ path: /a, methods: [CONNECT] }]",
      "1:32: routes[0].methods[0]: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY",
    ],
    [
      "routes: [{ path: /a, scopes: [] }]",
      "1:30: routes[0].scopes: needs at least one scope; leave it out to ask for none",
    ],
    ["routes: [{ path: /a, any_scope: read }]", "1:33: routes[0].any_scope: must be a list, not text"],
    [
      "routes: [{ path: /a, public: true, scopes: [a], environments: [b] }]",
      "1:44: routes[0].scopes: cannot stand on a public route, where no key is looked at",
      "1:63: routes[0].environments: cannot stand on a public route, where no key is looked at",
    ],
    [
      "routes: [{ path: /a, public: true, handler: whoami }]",
      "1:45: routes[0].handler: cannot stand on a public route, where no key is looked at",
    ],
    [
      "routes: [{ path: /a, public: true, networks: [10.0.0.0/8] }]",
      "1:46: routes[0].networks: cannot stand on a public route, where no key is looked at",
    ],
    [
      "routes: [{ path: /a, handler: whomai }]",
      '1:31: routes[0].handler: must be one of whoami, keys, usage; did you mean "whoami"?',
    ],
    [
      "routes: [{ path: /a, handler: whoami, upstream: default }]",
      "1:49: routes[0].upstream: cannot stand beside handler: the gate answers itself",
    ],
    [
      "routes: [{ path: /a, networks: [10.0.0.0/33] }]",
      "1:33: routes[0].networks[0]: must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [
      "routes: [{ path: /a, networks: [example.com] }]",
      "1:33: routes[0].networks[0]: must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    [
      "routes: [{ path: /a, upstream: defualt }]",
      '1:32: routes[0].upstream: no such upstream; did you mean "default"?',
    ],
    [
      "routes: [{ path: /a, upstream: other }]",
      '1:32: routes[0].upstream: no such upstream; there is "default"',
    ],
    [
      "routes: [{ path: /a, upstream: { live: default, test: sandbox } }]",
      '1:55: routes[0].upstream.test: no such upstream; there is "default"',
    ],
    [
      "upstreams: { a: { url: http://x }, b: { url: http://y } }\nroutes:\n  - { path: /a }\n  - { path: /me, handler: whoami }",
      '3:5: routes[0]: needs upstream: there are several, and none is called "default"',
    ],
  ],
  identity: [
    [
      "identity: { organisation: X-Org }",
      '1:13: unknown key "organisation" in identity; did you mean "organization"?',
    ],
    [
      "identity: { key: authorization }",
      "1:18: identity.key: is a place of credentials, where clients send their keys",
    ],
    [
      "identity: { key: X_Api_Key }",
      "1:18: identity.key: is a place of credentials, where clients send their keys",
    ],
    [
      "identity: { key: Transfer-Encoding }",
      "1:18: identity.key: is a header that the gate itself has to manage",
    ],
    ["identity: { key: X-Org-Id }", "1:18: identity.key: another part of the identity has this header"],
    ["identity: { key: x_org_id }", "1:18: identity.key: another part of the identity has this header"],
  ],
  errors: [
    [
      "errors: { format: probelm }",
      '1:19: errors.format: must be problem, detail, error or a JSON template; did you mean "problem"?',
    ],
    ["errors: { format: 5 }", "1:19: errors.format: must be problem, detail, error or a JSON template"],
    ["errors: { format: '{a' }", "1:19: errors.format: is not valid JSON"],
    [
      "errors: { format: { m: '{{message}}' } }",
      "1:19: errors.format: a template knows only {{status}}, {{code}}, {{title}}, {{detail}}",
    ],
    [
      "errors: { messages: { key_mising: x } }",
      '1:23: unknown key "key_mising" in errors.messages; did you mean "key_missing"?',
    ],
    ["errors: { messages: { key_missing: '' } }", "1:36: errors.messages.key_missing: must not be empty"],
    ["errors: { realm: 'a\"b' }", "1:18: errors.realm: must be plain ASCII without quotes and backslashes"],
  ],
  "cors, headers and the rest": [
    ["cors: {}", "1:1: cors: origins is missing"],
    [
      "cors: { origins: [https://a.example/] }",
      '1:19: cors.origins[0]: must be "*" or an exact origin such as https://app.example.com',
    ],
    [
      "cors: { origins: ['*'], credentials: true }",
      "1:38: cors.credentials: cannot be true while origins holds *: browsers refuse that",
    ],
    [
      "headers: { keep: [X-Api-Key] }",
      "1:19: headers.keep[0]: is a place of credentials: it is always removed",
    ],
    [
      "headers: { keep: [X-Org_Id] }",
      "1:19: headers.keep[0]: is a header of identity: a client's is always removed",
    ],
    ["headers: { keep: [host] }", "1:19: headers.keep[0]: is a header that the gate itself has to manage"],
    ["headers: { keep: [a], remove: [A] }", "1:19: headers.keep[0]: is listed under remove as well"],
    [
      "trusted_proxies: [10.0.0.0/8, fe80::1%eth0]",
      "1:31: trusted_proxies[1]: must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32",
    ],
    ["via: my gate", "1:6: via: must be one word such as keyward"],
    [
      "log: { level: warning }",
      '1:15: log.level: must be one of fatal, error, warn, info, debug; did you mean "warn"?',
    ],
    ["metrics: { max_keys: 100001 }", "1:22: metrics.max_keys: must be at most 100000"],
  ],
};

describe.for(Object.entries(SECTIONS))("%s", ([, cases]) => {
  test.for(cases)("%s is refused", ([text, ...faults]) => {
    expect(faultsOf(text)).toEqual(faults);
  });
});

test("a fault in one section does not hide what is wrong between others", () => {
  expect(
    faultsOf(
      "listen: { port: x }\nroutes: [{ path: /a, upstream: none }]\nidentity: { key: x-api-key }\nlog: []",
    ),
  ).toEqual([
    "1:17: listen.port: must be a number, not text",
    '2:32: routes[0].upstream: no such upstream; there is "default"',
    "3:18: identity.key: is a place of credentials, where clients send their keys",
    "4:6: log: must be a mapping, not a list",
  ]);
});

test("no check stumbles over a section of the wrong kind", () => {
  const sections = Object.keys(gateConfigSchema.shape).filter((name) => name !== "limits");
  for (const wrong of [
    "5",
    "text",
    "[5]",
    "{ a: 5 }",
    "{ default: { url: 5, auth: 5, tls: 5 } }",
    "[{ header: 5, schemes: 5 }]",
    "null",
    "{ keep: 5, remove: 5, origins: 5, credentials: true }",
  ]) {
    for (const name of sections)
      expect(() => faultsOf(`${name}: ${wrong}`), `${name}: ${wrong}`).not.toThrow();
    expect(faultsOf(sections.map((name) => `${name}: ${wrong}`).join("\n")).length).toBeGreaterThan(0);
  }
});
