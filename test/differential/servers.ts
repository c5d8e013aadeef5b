/**
 * Real servers that say what they understood of a request. Each is started on loopback with a
 * configuration of its own and stopped by its process; none is installed as a service.
 */
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:net";
import { type Child, startChild } from "../support/child.ts";
import { projectRoot } from "../support/source-files.ts";
import { waitFor } from "../support/wait-for.ts";

/** What a server made of a request. Null: it has no such thing, or cannot say. */
export interface Understanding {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly organization: string;
  readonly project: string | null;
  readonly credential: string | null;
  readonly body: number | null;
}

export interface Server {
  readonly name: string;
  /** Program that must be there. */
  readonly program: string;
  /** Writes what it needs into the folder and gives its command line. */
  configure(folder: string, port: number): Promise<readonly string[]>;
}

const here = join(projectRoot, "test/differential");

async function cgiScript(folder: string): Promise<string> {
  const script = join(folder, "echo.cgi");
  await copyFile(join(here, "echo.cgi.py"), script);
  await chmod(script, 0o755);
  return script;
}

const nginx: Server = {
  name: "nginx",
  program: "nginx",
  async configure(folder, port) {
    const seen =
      '{"method":"$request_method","target":"$request_uri","host":"$http_host","organization":"$http_x_org_id",' +
      '"project":"$http_x_project_id","credential":"$http_authorization$http_x_api_key","body":null}';
    await writeFile(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; error_log stderr; pid ${folder}/pid;
events {}
http {
  access_log off; underscores_in_headers on; client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  map $request_uri $seen { default '${seen}'; }
  server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 $seen; } }
}`,
    );
    return ["-p", folder, "-c", join(folder, "nginx.conf")];
  },
};

const haproxy: Server = {
  name: "haproxy",
  program: "haproxy",
  async configure(folder, port) {
    const fields = [
      '\\"method\\":\\"%[method]\\"',
      '\\"target\\":\\"%[pathq]\\"',
      '\\"host\\":\\"%[req.fhdr(host)]\\"',
      '\\"organization\\":\\"%[req.fhdr(x-org-id)]\\"',
      '\\"project\\":\\"%[req.fhdr(x-project-id)]\\"',
      '\\"credential\\":\\"%[req.fhdr(authorization)]%[req.fhdr(x-api-key)]\\"',
      '\\"body\\":null',
    ];
    await writeFile(
      join(folder, "haproxy.cfg"),
      `global
  maxconn 100
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 1s
frontend echo
  bind 127.0.0.1:${port}
  http-request return status 200 content-type application/json lf-string "{${fields.join(",")}}"
`,
    );
    return ["-db", "-f", join(folder, "haproxy.cfg")];
  },
};

const apache: Server = {
  name: "apache2",
  program: "apache2",
  async configure(folder, port) {
    const script = await cgiScript(folder);
    const modules = "/usr/lib/apache2/modules";
    await writeFile(
      join(folder, "apache.conf"),
      `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
User nobody
Group nogroup
Mutex file:${folder}
LoadModule mpm_prefork_module ${modules}/mod_mpm_prefork.so
LoadModule authz_core_module ${modules}/mod_authz_core.so
LoadModule alias_module ${modules}/mod_alias.so
LoadModule cgi_module ${modules}/mod_cgi.so
StartServers 4
MaxRequestWorkers 8
LimitRequestFields 200
ScriptAliasMatch ^ ${script}
<Directory />
  Require all granted
  CGIPassAuth On
</Directory>
`,
    );
    return ["-DFOREGROUND", "-f", join(folder, "apache.conf")];
  },
};

const lighttpd: Server = {
  name: "lighttpd",
  program: "lighttpd",
  async configure(folder, port) {
    const script = await cgiScript(folder);
    await mkdir(join(folder, "root"), { recursive: true });
    await writeFile(
      join(folder, "lighttpd.conf"),
      `server.document-root = "${folder}/root"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ( "mod_alias", "mod_cgi" )
alias.url = ( "/" => "${script}/" )
cgi.assign = ( "echo.cgi" => "", "" => "" )
`,
    );
    return ["-D", "-f", join(folder, "lighttpd.conf")];
  },
};

const python: Server = {
  name: "http.server",
  program: "python3",
  configure: (_folder, port) => Promise.resolve([join(here, "echo-server.py"), String(port)]),
};

export const servers: readonly Server[] = [nginx, haproxy, apache, lighttpd, python];

/** @param program absolute path of the server's program */
export async function startServer(
  server: Server,
  program: string,
  folder: string,
  port: number,
): Promise<Child> {
  // Started by root, apache2 gives up its rights and must still reach its script.
  await chmod(folder, 0o755);
  // As a group: some fork workers that would outlive them.
  const child = await startChild(program, await server.configure(folder, port), { isGroup: true });
  await waitFor(`${server.name} to listen`, () => isListening(port));
  return child;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
