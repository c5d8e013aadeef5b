import { describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { type CredentialPlace, extractCredential } from "../../../src/gate/credential.ts";
import { readHead } from "../../../src/gate/head.ts";
import { HeaderTable } from "../../../src/gate/header-table.ts";
import { requestLine } from "../../support/gate-scene.ts";

const KEY = "mem_live_0123456789abcdef";
const OTHER = "mem_live_fedcba9876543210";

const PLACES: readonly CredentialPlace[] = [
  { header: "authorization", schemes: ["bearer", "api-key"] },
  { header: "x-api-key", schemes: undefined },
  { header: "x-token", schemes: ["token"] },
];

function extract(headers: readonly string[], places = PLACES): string | Denial {
  const credentials = places.map(({ header }) => header);
  const table = new HeaderTable({ credentials, identity: [], owned: [], remove: [], keep: [] });
  const head = readHead(requestLine({ headers }), table);
  if (head instanceof Denial) throw new Error(head.code);
  return extractCredential(head, places);
}

describe("the key is found", () => {
  test.for<[what: string, headers: string[]]>([
    ["behind the scheme", ["Authorization", `Bearer ${KEY}`]],
    ["behind a scheme in any case", ["authorization", `bEARER ${KEY}`]],
    ["behind a second scheme", ["Authorization", `Api-Key ${KEY}`]],
    ["behind several spaces", ["Authorization", `Bearer   ${KEY}`]],
    ["bare", ["X-API-Key", KEY]],
    ["in the third place", ["X-Token", `Token ${KEY}`]],
    ["beside a place that is empty", ["X-API-Key", "", "Authorization", `Bearer ${KEY}`]],
    ["before a place that is empty", ["Authorization", `Bearer ${KEY}`, "X-API-Key", ""]],
    ["beside a scheme that is not ours", ["Authorization", "Basic dTpw", "X-API-Key", KEY]],
    ["beside a scheme without a key", ["Authorization", "Bearer", "X-API-Key", KEY]],
    ["beside a scheme of another place", ["X-Token", `Bearer ${OTHER}`, "X-API-Key", KEY]],
    ["in two places, when it is the same", ["Authorization", `Bearer ${KEY}`, "X-API-Key", KEY]],
    ["in all places", ["X-Token", `Token ${KEY}`, "Authorization", `Bearer ${KEY}`, "X-API-Key", KEY]],
  ])("%s", ([, headers]) => {
    expect(extract(headers)).toBe(KEY);
  });

  test("as it was sent: case, padding and punctuation count", () => {
    expect(extract(["X-API-Key", "AbC+/=~.-_"])).toBe("AbC+/=~.-_");
    expect(extract(["Authorization", "Bearer a=="])).toBe("a==");
  });

  test("bare values are not read as a scheme", () => {
    expect(extract(["X-API-Key", `Bearer ${KEY}`])).toBe(`Bearer ${KEY}`);
  });

  test("in the last of sixteen places", () => {
    const places = Array.from({ length: 16 }, (_, n) => ({ header: `x-place-${n}`, schemes: undefined }));
    expect(extract(["x-place-15", KEY, "x-place-0", KEY], places)).toBe(KEY);
    expect(extract(["x-place-15", KEY, "x-place-15", KEY], places)).toMatchObject({ code: "key_ambiguous" });
  });
});

describe("no key", () => {
  test.for<[what: string, headers: string[]]>([
    ["without any header", []],
    ["in headers that are no place", ["Cookie", `api_key=${KEY}`, "X-Key", KEY]],
    ["in an alias of a place", ["X_API_Key", KEY]],
    ["in an empty bare value", ["X-API-Key", ""]],
    ["in an empty scheme value", ["Authorization", ""]],
    ["in a scheme alone", ["Authorization", "Bearer"]],
    ["in a scheme and a space", ["Authorization", "Bearer "]],
    ["in a scheme and spaces", ["Authorization", "Bearer   "]],
    ["behind another scheme", ["Authorization", `Basic ${KEY}`]],
    ["behind a scheme without a separator", ["Authorization", "Bearerx"]],
    ["behind a longer scheme", ["Authorization", `Bearers ${KEY}`]],
    ["behind a shorter scheme", ["Authorization", `Beare ${KEY}`]],
    ["behind no scheme where one is asked for", ["Authorization", KEY]],
    ["behind a tab, which is no separator", ["Authorization", `Bearer\t${KEY}`]],
    ["behind a colon", ["Authorization", `Bearer:${KEY}`]],
    ["behind a leading space", ["Authorization", ` Bearer ${KEY}`]],
    ["behind the scheme of another place", ["X-Token", `Bearer ${KEY}`]],
  ])("%s", ([, headers]) => {
    expect(extract(headers)).toMatchObject({ code: "key_missing" });
  });
});

describe("more than one key is refused", () => {
  test.for<[what: string, headers: string[], note: string]>([
    ["two in two places", ["Authorization", `Bearer ${KEY}`, "X-API-Key", OTHER], "two different keys"],
    ["whichever comes first", ["X-API-Key", OTHER, "Authorization", `Bearer ${KEY}`], "two different keys"],
    [
      "the third of three",
      ["X-API-Key", KEY, "Authorization", `Bearer ${KEY}`, "X-Token", `Token ${OTHER}`],
      "two different keys",
    ],
    [
      "the same but for case",
      ["X-API-Key", KEY, "Authorization", `Bearer ${KEY.toUpperCase()}`],
      "two different keys",
    ],
    ["two lines", ["X-API-Key", KEY, "x-api-key", OTHER], "x-api-key sent twice"],
    [
      "two equal lines",
      ["Authorization", `Bearer ${KEY}`, "AUTHORIZATION", `Bearer ${KEY}`],
      "authorization sent twice",
    ],
    ["an empty line before", ["X-API-Key", "", "X-API-Key", KEY], "x-api-key sent twice"],
    ["an empty line behind", ["X-API-Key", KEY, "X-API-Key", ""], "x-api-key sent twice"],
    [
      "a line of another scheme",
      ["Authorization", "Basic dTpw", "Authorization", `Bearer ${KEY}`],
      "authorization sent twice",
    ],
    [
      "two lines apart",
      ["X-API-Key", KEY, "Authorization", `Bearer ${KEY}`, "X-API-Key", KEY],
      "x-api-key sent twice",
    ],
  ])("%s", ([, headers, note]) => {
    expect(extract(headers)).toMatchObject({ code: "key_ambiguous", note });
  });
});

describe("text behind the key is not cut off but refused", () => {
  test.for([`Bearer \xa0${KEY}`, `Bearer \ufeff${KEY}`])(
    "%j: what is no space is a part of the key",
    (value) => {
      expect(extract(["Authorization", value])).toBe(value.slice("Bearer ".length));
    },
  );

  test.for([`Bearer ${KEY} extra`, `Bearer ${KEY}\textra`, `Bearer ${KEY}, Bearer ${OTHER}`, `Bearer a b c`])(
    "%s",
    (value) => {
      expect(extract(["Authorization", value])).toMatchObject({
        code: "key_invalid",
        note: "text after the key",
      });
      expect(extract(["X-API-Key", KEY, "Authorization", value])).toMatchObject({ code: "key_invalid" });
    },
  );
});
