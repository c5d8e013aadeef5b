/** `tls` of whatever the gate connects to: a backend, a registry. That certificates are checked is no option. */
import { z } from "zod";
import { evenIfFaulty, filePath, line } from "./option.ts";

const noPem: {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
} = { ca: undefined, cert: undefined, key: undefined };

/** To be described where it stands. */
export const clientTls = z
  .strictObject({
    ca_file: filePath("PEM file of the authorities to trust instead of the system's.").optional(),
    cert_file: filePath("PEM file of the client certificate; needs key_file.").optional(),
    key_file: filePath("PEM file of the client certificate's key; needs cert_file.").optional(),
    server_name: line(
      253,
      "Name expected in the server's certificate, when it is not the URL's host.",
    ).optional(),
  })
  .superRefine((tls, context) => {
    if ((tls.cert_file === undefined) === (tls.key_file === undefined)) return;
    const given = tls.cert_file === undefined ? "key_file" : "cert_file";
    const missing = tls.cert_file === undefined ? "cert_file" : "key_file";
    context.addIssue({ code: "custom", path: [given], message: `needs ${missing} as well` });
  }, evenIfFaulty)
  // The loader fills in the files' content.
  .transform((tls) => ({ ...tls, ...noPem }));
