/** Clauses about the messages that reach the upstream. */
import type { HttpMessage } from "../../support/http-message.ts";
import type { Observation } from "./observe.ts";
import {
  type Check,
  type ClauseKind,
  type Verdict,
  eachForwarded,
  folded,
  must,
  partsOf,
  shown,
} from "./verdict.ts";

const hasNone = (message: HttpMessage, names: readonly string[], fold: (name: string) => string): Verdict => {
  const found = message.fields.filter(([name]) => names.includes(fold(name)));
  return must(found.length === 0, `forwarded ${shown(found)}`);
};

/** The field stands there exactly once, with this value. */
const hasOne = (message: HttpMessage, name: string, value: string): Verdict => {
  const values = message.values(name);
  return must(
    values.length === 1 && values[0] === value,
    `forwarded ${name} ${shown(values)}, not ${value} once`,
  );
};

export const forwardedClauses: readonly ClauseKind[] = [
  {
    // The fixture configures nothing, and the gate does not mend lines.
    shape: /^upstream=(\d+)(?: unless configured| \(or normalised to CRLF\))?$/,
    make: (value) => (seen) =>
      must(
        seen.forwarded.length === Number(value),
        `${seen.forwarded.length} messages forwarded, not ${value}`,
      ),
  },
  {
    shape: /^upstream<=(\d+)$/,
    make: (value) => (seen) =>
      must(
        seen.forwarded.length <= Number(value),
        `${seen.forwarded.length} messages forwarded, over ${value}`,
      ),
  },
  {
    shape: /^upstream-complete=(\d+)$/,
    make: (value) => (seen) => {
      const complete = seen.forwarded.filter(({ isComplete }) => isComplete).length;
      return must(complete === Number(value), `${complete} whole messages forwarded, not ${value}`);
    },
  },
  { shape: /^target=(.+)$/, make: targetIs },
  { shape: /^target-not-decoded()$/, make: () => (seen) => eachForwarded(isAsSent(seen))(seen) },
  {
    shape: /^has=(.+)$/,
    make: (value) => {
      const [name = "", expected = ""] = value.split(/:(.*)/s);
      return eachForwarded((message) => hasOne(message, name, expected));
    },
  },
  {
    shape: /^absent=connection\((.+)\)$/,
    make: (value) =>
      eachForwarded((message) =>
        must(
          !message.values("connection").join(",").toLowerCase().includes(value),
          `Connection names ${value}`,
        ),
      ),
  },
  { shape: /^absent=any-field-the-proxy-itself-may-inject()$/, make: () => eachForwarded(identityIsOurs) },
  {
    shape: /^absent=(.+)$/,
    make: (value) =>
      eachForwarded((message) => hasNone(message, partsOf(value, ","), (name) => name.toLowerCase())),
  },
  {
    shape: /^no-alias=(.+)$/,
    make: (value) =>
      eachForwarded((message) => {
        const spelled = message.fields.filter(([name]) => folded(name) === folded(value));
        return must(spelled.length <= 1 && !spelled.some(([name]) => name.includes("_")), shown(spelled));
      }),
  },
  {
    shape: /^alias-not-forwarded()$/,
    make: () =>
      eachForwarded((message) => {
        const aliases = message.fields.filter(([name]) => name.includes("_"));
        return must(aliases.length === 0, `forwarded ${shown(aliases)}`);
      }),
  },
  {
    shape: /^trailer-absent(?:=.+)?()$/,
    make: () =>
      eachForwarded((message) => must(message.trailers.length === 0, `trailers ${shown(message.trailers)}`)),
  },
  {
    shape: /^body=(\d+)$/,
    make: (value) =>
      eachForwarded(({ body }) =>
        must(body.length === Number(value), `body of ${body.length}, not ${value}`),
      ),
  },
  {
    shape: /^wire-absent=(.+)$/,
    make: (value) => (seen) => must(!seen.bytes.includes(value), `forwarded ${value}`),
  },
  {
    shape: /^upgrade-upstream!=(.+)$/,
    make: (value) =>
      eachForwarded((message) =>
        must(!message.values("upgrade").join(",").toLowerCase().includes(value), `Upgrade to ${value}`),
      ),
  },
  {
    shape: /^te=absent\|trailers()$/,
    make: () =>
      eachForwarded((message) => {
        const te = message.values("te");
        const named = message.values("connection").join(",").toLowerCase().includes("te");
        return must(te.length === 0 || (te.join("|") === "trailers" && named), `TE ${shown(te)}`);
      }),
  },
  {
    shape: /^via=prefix-kept\+own-entry()$/,
    make: () => eachForwarded((message) => hasOne(message, "via", "1.0 fred, 1.1 p.example, 1.1 keyward")),
  },
  {
    shape: /^max-forwards=(\d+) if forwarded$/,
    make: (value) => eachForwarded((message) => hasOne(message, "max-forwards", value)),
  },
  {
    shape: /^order=(.+)$/,
    make: (value) =>
      eachForwarded((message) =>
        must(message.values("x-tag").join(",") === value, shown(message.values("x-tag"))),
      ),
  },
  {
    shape: /^cl-lines=(\d+)$/,
    make: (value) =>
      eachForwarded((message) => {
        const lines = message.values("content-length").length;
        return must(lines === Number(value), `${lines} Content-Length lines`);
      }),
  },
  {
    shape: /^upstream-cl=(.+)$/,
    make: (value) => eachForwarded((message) => hasOne(message, "content-length", value)),
  },
  {
    shape: /^upstream-host!=(.+)$/,
    make: (value) =>
      eachForwarded((message) => must(!message.values("host").includes(value), "Host is forged")),
  },
  {
    shape: /^bytes-kept()$/,
    make: () => eachForwarded(({ raw }) => must(raw.includes("caf\u00e9"), "the bytes were changed")),
  },
  {
    shape: /^xff-last=client-ip()$/,
    make: () =>
      eachForwarded((message) =>
        must(
          /(?:^|, )127\.0\.0\.1$/.test(message.values("x-forwarded-for").join(", ")),
          `X-Forwarded-For ${shown(message.values("x-forwarded-for"))}`,
        ),
      ),
  },
  {
    // The only honest address here is 127.0.0.1 too, so the field itself has to be gone.
    shape: /^x-real-ip!=127\.0\.0\.1-from-client()$/,
    make: () => eachForwarded((message) => hasNone(message, ["x-real-ip"], folded)),
  },
  {
    // Every other host would show as a failed look-up or connection.
    shape: /^no-dial=(.+)$/,
    make: () => (seen) => must(!/"upstream_error"/.test(seen.log), "another host was dialled"),
  },
  { shape: /^ids=(.+)$/, make: identitiesAre },
  {
    shape: /^no identity loss()$/,
    make: () => eachForwarded(({ startLine, fields }) => must(fields.length > 0, startLine)),
  },
  { shape: /^(body-not-in-tunnel)$/, make: () => nothingSmuggled },
  { shape: /^(no smuggle: bytes are neither tunnelled.+)$/, make: () => nothingSmuggled },
  {
    shape: /^(bytes after head held until upstream 101, else dropped with close)$/,
    make: () => nothingSmuggled,
  },
  {
    shape: /^passed through()$/,
    make: () => eachForwarded((message) => must(message.values("range").length === 1, "Range is gone")),
  },
  {
    shape: /^no amplification()$/,
    make: () => (seen) =>
      must(
        seen.forwarded.length <= 1 && seen.received.length < 1000,
        `${seen.received.length} bytes came back`,
      ),
  },
];

function targetIs(value: string): Check {
  const allowed = partsOf(value, "|").map((target) => target.replace(/-if-documented$/, ""));
  return eachForwarded((message) => {
    if (allowed.includes("pct-encoded") && /^[\x21-\x7e]+$/.test(message.target)) return undefined;
    return must(allowed.includes(message.target), `forwarded ${shown(message.target)}`);
  });
}

/** The forwarded target stood in the request, byte for byte. */
function isAsSent(seen: Observation): (message: HttpMessage) => Verdict {
  const targets = seen.sent.requests.map(({ target }) => target);
  return (message) => must(targets.includes(message.target), `forwarded ${shown(message.target)}`);
}

function identityIsOurs(message: HttpMessage): Verdict {
  const ours: Readonly<Record<string, string | undefined>> = {
    "x-scope": undefined,
    "x-scopes": undefined,
    "x-folder-ids": undefined,
    "x-key-id": "key_a",
    "x-org-id": "org_a",
    "x-project-id": "proj_a",
    "x-environment": "prod",
  };
  const forged = message.fields.filter(
    ([name, value]) => folded(name) in ours && ours[folded(name)] !== value,
  );
  return must(forged.length === 0, `forwarded ${shown(forged)}`);
}

function identitiesAre(value: string): Check {
  return (seen) => {
    const found = seen.forwarded.map((message) => message.values("x-org-id").join("+"));
    return must(shown(found) === shown(partsOf(value, ",")), `identities ${shown(found)}`);
  };
}

/** One message at most, nothing behind it, and the client's connection is not used on. */
function nothingSmuggled(seen: Observation): Verdict {
  if (/\/admin\//.test(seen.bytes)) return `the upstream got ${shown(seen.bytes)}`;
  if (seen.forwarded.length > 1) return `${seen.forwarded.length} messages forwarded`;
  return must(seen.answers.length <= 1 && seen.ending !== "open", "the connection was used on");
}
