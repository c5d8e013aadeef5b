/** A config is loaded whole, with the files that it points at, or refused with every fault. */
import { symlink } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { loadGateConfig } from "../../../src/config/load.ts";
import { formatFault } from "../../../src/document/fault.ts";
import { makeTempFolder, type TempFolder } from "../../support/temp-folder.ts";
import { CertificateAuthority } from "../../support/tls.ts";

const HEAD = "keys: { file: keys.yaml }\nroutes: [{ path: /a }]\n";

function withAuth(auth: string): string {
  return `${HEAD}upstreams: { default: { url: http://x, auth: { header: x-token, ${auth} } } }\n`;
}

async function faultsOf(folder: TempFolder, text: string | Buffer, env = {}): Promise<readonly string[]> {
  const file = await folder.write("keyward.yaml", text);
  const loaded = loadGateConfig(file, env);
  return loaded.ok ? [] : loaded.faults.map((fault) => formatFault(fault).replace(file, "keyward.yaml"));
}

async function tokenOf(folder: TempFolder, auth: string, env = {}): Promise<string | undefined> {
  const loaded = loadGateConfig(await folder.write("keyward.yaml", withAuth(auth)), env);
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join("\n"));
  return loaded.config.upstreams["default"]?.auth?.value;
}

describe("secrets", () => {
  test("come from the environment, or from a file beside the config", async () => {
    await using folder = await makeTempFolder();
    await folder.write("secrets/token", "from file\n");
    expect(await tokenOf(folder, "value: '${TOKEN}'", { TOKEN: "from env" })).toBe("from env");
    expect(await tokenOf(folder, "value_file: secrets/token")).toBe("from file");
    expect(await tokenOf(folder, `value_file: ${folder.file("secrets/token")}`)).toBe("from file");
    expect(await tokenOf(folder, "value_file: '${DIR}/token'", { DIR: "secrets" })).toBe("from file");
  });

  test.for([
    ["a", "a"],
    ["a\n", "a"],
    ["a\r\n", "a"],
    [" a ", " a "],
  ] as const)("one newline at the end of %j is not part of the secret", async ([content, secret]) => {
    await using folder = await makeTempFolder();
    await folder.write("token", content);
    expect(await tokenOf(folder, "value_file: token")).toBe(secret);
  });

  test.for([
    ["missing", undefined, "the file does not exist"],
    ["empty", "", "the file is empty"],
    ["blank", " \n\n", "the file is empty"],
    ["of two lines", "a\nb\n", "the file holds more than one line"],
    ["ended twice", "a\n\n", "the file holds more than one line"],
    ["not text", Buffer.from([0xff, 0xfe]), "the file is not UTF-8 text"],
    ["huge", "a".repeat(70_000), "the file is larger than 64KiB"],
  ] as const)("a file that is %s is a fault of the option", async ([, content, problem]) => {
    await using folder = await makeTempFolder();
    if (content !== undefined) await folder.write("token", content);
    expect(await faultsOf(folder, withAuth("value_file: token"))).toEqual([
      `keyward.yaml:3:77: upstreams.default.auth.value_file: ${problem}`,
    ]);
  });

  test("a link to itself is a fault, not an endless walk", async () => {
    await using folder = await makeTempFolder();
    await symlink("token", folder.file("token"));
    expect(await faultsOf(folder, withAuth("value_file: token"))).toEqual([
      "keyward.yaml:3:77: upstreams.default.auth.value_file: the file is a symbolic link to itself",
    ]);
  });

  test("a folder is no file", async () => {
    await using folder = await makeTempFolder();
    await folder.write("token/x", "a");
    expect(await faultsOf(folder, withAuth("value_file: token"))).toEqual([
      "keyward.yaml:3:77: upstreams.default.auth.value_file: the file is no regular file",
    ]);
  });
});

describe("certificates", () => {
  const upstreams = "upstreams: { default: { url: https://x, tls: { ca_file: ca.pem } } }\n";

  test("are read with the config", async () => {
    await using folder = await makeTempFolder();
    const pem = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
    await folder.write("ca.pem", pem);
    const loaded = loadGateConfig(await folder.write("keyward.yaml", HEAD + upstreams), {});
    expect(loaded.ok ? loaded.config.upstreams["default"]?.tls : loaded.faults).toMatchObject({
      ca: pem,
      cert: undefined,
      key: undefined,
    });
  });

  test("a file without one is a fault", async () => {
    await using folder = await makeTempFolder();
    await folder.write("ca.pem", "MII=\n");
    expect(await faultsOf(folder, HEAD + upstreams)).toEqual([
      "keyward.yaml:3:57: upstreams.default.tls.ca_file: the file holds no PEM",
    ]);
  });

  test("a certificate beside another's key is a fault, as is one that cannot be read", async () => {
    await using folder = await makeTempFolder();
    const authority = new CertificateAuthority();
    const [old, renewed] = [authority.issue("gate"), authority.issue("gate")];
    const pair = "upstreams: { default: { url: https://x, tls: { cert_file: c.pem, key_file: k.pem } } }\n";
    const faultsWith = async (cert: string, key: string): Promise<readonly string[]> => {
      await folder.write("c.pem", cert);
      await folder.write("k.pem", key);
      return faultsOf(folder, HEAD + pair);
    };
    const place = "keyward.yaml:3:59: upstreams.default.tls.cert_file:";
    expect(await faultsWith(old.cert, old.key)).toEqual([]);
    expect(await faultsWith(renewed.cert, old.key)).toEqual([
      `${place} the certificate does not belong to key_file`,
    ]);
    expect(await faultsWith(renewed.cert, renewed.key)).toEqual([]);
    expect(await faultsWith(old.cert.slice(0, 200), old.key)).toEqual([
      `${place} certificate and key cannot be used (ERR_OSSL_PEM_BAD_END_LINE)`,
    ]);
    expect(await faultsWith("", old.key)).toEqual([`${place} the file is empty`]);
  });
});

describe("files", () => {
  test("all that a config is made of are told, with their state before they were read", async () => {
    await using folder = await makeTempFolder();
    await folder.write("token", "a");
    const file = await folder.write("keyward.yaml", withAuth("value_file: token"));
    const loaded = loadGateConfig(file, {});
    if (!loaded.ok) throw new Error("refused");
    expect(loaded.files).toEqual([file, folder.file("token"), folder.file("keys.yaml")]);
    expect(loaded.config.keys.file).toBe(folder.file("keys.yaml"));
    expect([...loaded.stamps.keys()]).toEqual(loaded.files);
  });

  test.for([
    ["missing", undefined, "does not exist"],
    ["not UTF-8", Buffer.from([0x61, 0xff]), "is not UTF-8 text"],
    ["too large", Buffer.alloc(5 * 1024 * 1024, "#"), "is larger than 4MiB"],
  ] as const)("a config that is %s is one fault", async ([, content, problem]) => {
    await using folder = await makeTempFolder();
    if (content !== undefined) await folder.write("keyward.yaml", content);
    const file = folder.file("keyward.yaml");
    const loaded = loadGateConfig(file, {});
    expect(loaded.ok ? [] : loaded.faults.map(formatFault)).toEqual([`${file}: ${problem}`]);
  });

  test("a byte order mark and Windows line ends do not move faults", async () => {
    await using folder = await makeTempFolder();
    expect(await faultsOf(folder, `\ufeff${HEAD}log: {}\nvia: a b\n`.replaceAll("\n", "\r\n"))).toEqual([
      "keyward.yaml:1:1: upstreams is missing",
      "keyward.yaml:4:6: via: must be one word such as keyward",
    ]);
  });

  test("a refused config still tells where its keys are, so that their faults can be shown too", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write("keyward.yaml", "keys: { file: keys.yaml }\nprot: 1\n");
    expect(loadGateConfig(file, {})).toMatchObject({ ok: false, keyFile: folder.file("keys.yaml") });
    await folder.write("keyward.yaml", "prot: 1\n");
    expect(loadGateConfig(file, {})).toMatchObject({ ok: false, keyFile: undefined });
  });
});

test("what is found wrong while the config is compiled gets its place as well", async () => {
  await using folder = await makeTempFolder();
  const text = `${HEAD}upstreams: { default: { url: http://x } }\n`;
  const loaded = loadGateConfig(await folder.write("keyward.yaml", text), {});
  if (!loaded.ok) throw new Error("refused");
  expect(loaded.faultAt(["routes", 0, "path"], "is in the way")).toMatchObject({
    line: 2,
    column: 18,
    message: "is in the way",
    sourceLine: "routes: [{ path: /a }]",
  });
});
