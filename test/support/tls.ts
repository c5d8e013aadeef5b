/**
 * Certificates for tests: an authority of the test's own and what it issues, made anew in each run
 * so that no private key stands in the repository and nothing expires. Writes just enough DER
 * (ITU-T X.690) for RFC 5280 version 3 certificates with P-256 keys.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class CertificateAuthority {
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name = "Keyward test authority") {
    const { privateKey, publicKey } = makeKeyPair();
    this.#name = name;
    this.#key = privateKey;
    this.cert = certify({
      subject: name,
      publicKey,
      issuer: name,
      signer: privateKey,
      extensions: [isAuthority],
    });
  }

  /** @param names DNS names and IPv4 addresses that the certificate is good for; the first is its subject */
  issue(...names: readonly string[]): Certificate {
    const { privateKey, publicKey } = makeKeyPair();
    return {
      cert: certify({
        subject: names[0] ?? "nobody",
        publicKey,
        issuer: this.#name,
        signer: this.#key,
        extensions: [alternativeNames(names)],
      }),
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
    };
  }
}

function makeKeyPair(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

interface CertificateFields {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: string;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certify({ subject, publicKey, issuer, signer, extensions }: CertificateFields): string {
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ecdsaWithSha256,
    commonName(issuer),
    sequence(utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    commonName(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", toBeSigned, signer);
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const DAY_MS = 24 * 60 * 60 * 1000;

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function integer(bigEndian: Buffer): Buffer {
  return der(0x02, bigEndian);
}

function octets(content: Buffer): Buffer {
  return der(0x04, content);
}

function bitString(content: Buffer): Buffer {
  return der(0x03, Buffer.of(0), content);
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function utcTime(epochMs: number): Buffer {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(digits.slice(2), "latin1"));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectId("550403"), der(0x0c, Buffer.from(name)))));
}

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIPv4(name)
      ? der(0x87, Buffer.from(name.split(".").map(Number)))
      : der(0x82, Buffer.from(name, "latin1")),
  );
  return sequence(objectId("551d11"), octets(sequence(...entries)));
}

const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
/** basicConstraints, critical, cA TRUE. */
const isAuthority = sequence(
  objectId("551d13"),
  der(0x01, Buffer.of(0xff)),
  octets(sequence(der(0x01, Buffer.of(0xff)))),
);
