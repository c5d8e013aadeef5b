/** The smallest registry: a snapshot as a file on nginx, with a token. */
import { mkdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { checkRegistry } from "../../../src/registry/conformance/run.ts";
import { startChild } from "../../support/child.ts";
import { ask } from "../../support/http-client.ts";
import { lastingPort } from "../../support/listening.ts";
import { startRegistry } from "../../support/registry-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { requireTool } from "../../support/tools.ts";
import { waitFor } from "../../support/wait-for.ts";

const nginx = requireTool("nginx", "a static file on nginx is a registry", "apt-get install nginx-light");

test.skipIf(nginx === undefined)("a snapshot as a file on nginx keeps what is required", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 5; i++) await registry.makeKey({ name: `key ${i}` });
  const { text } = await registry.call("GET /v1/gate/keys", { role: "gate" });
  await using folder = await makeTempFolder();
  await mkdir(folder.file("www"));
  await writeFile(folder.file("www/keys"), text);
  const port = await lastingPort();
  await writeFile(folder.file("nginx.conf"), nginxConfig(folder.path, port, process.getuid?.() === 0));
  await using _server = await startChild(nginx ?? "", ["-p", folder.path, "-c", folder.file("nginx.conf")]);
  const url = `http://127.0.0.1:${port}`;
  await waitFor("nginx", async () => (await ask(`${url}/keys`)).status === 401);
  const results = await checkRegistry(
    { url, token: "a-token-for-gates", isReadOnly: false, clock: systemClock },
    () => undefined,
  );
  expect(results.filter(({ outcome }) => outcome === "fail")).toEqual([]);
  const passed = results.filter(({ outcome }) => outcome === "pass").map(({ id }) => id);
  expect(passed).toEqual(["authentication", "snapshot", "etag", "gzip", "delta", "foreign-cursor"]);
});

function nginxConfig(folder: string, port: number, isRoot: boolean): string {
  return `${isRoot ? "user root; " : ""}daemon off; master_process off; error_log stderr; pid ${folder}/pid;
events {}
http {
  access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  map $http_authorization $is_gate { default 0; "Bearer a-token-for-gates" 1; }
  server {
    listen 127.0.0.1:${port};
    root ${folder}/www;
    gzip on; gzip_types application/x-ndjson; gzip_min_length 1;
    location = /keys {
      default_type application/x-ndjson;
      if ($is_gate = 0) { return 401; }
    }
  }
}`;
}
