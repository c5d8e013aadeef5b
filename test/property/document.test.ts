/** Whatever text and environment: a value or faults that lie inside the text, never an exception. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { gateConfigSchema } from "../../src/config/schema.ts";
import { renderFault } from "../../src/document/fault.ts";
import { readDocument } from "../../src/document/read.ts";

const PIECES = [
  ..."{ } [ ] , : # & * ! | > % @ ` ' \" - ? \\ $".split(" "),
  ..." \t\n".split(""),
  "${A}",
  "${B:-x}",
  "$${",
  "${",
  "---\n",
  "- ",
  "a: ",
  "<<: ",
  "listen: ",
  "routes:\n  - path: /a\n",
  "%YAML 1.2\n",
  "\r\n",
  "\u2028",
  "\ud800",
  "é",
  "\ue001",
];
const anyText = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join(""));

test("any text is read or has faults, each at a place that exists", () => {
  fc.assert(
    fc.property(anyText, fc.string(), (text, value) => {
      const read = readDocument(text, { file: "f", env: { A: value }, schema: gateConfigSchema });
      if (read.ok) return;
      const lines = text.split("\n");
      expect(read.faults.length).toBeGreaterThan(0);
      for (const fault of read.faults) {
        const line = lines[fault.line - 1];
        expect(line, renderFault(fault)).toBeDefined();
        expect(fault.sourceLine).toBe(line?.replace(/\r$/, ""));
        expect(fault.column).toBeGreaterThanOrEqual(1);
        expect(fault.column).toBeLessThanOrEqual((line?.length ?? 0) + 1);
      }
    }),
  );
});

test("a value from the environment arrives as it is and changes nothing around it", () => {
  const schema = z.strictObject({ a: z.string(), b: z.array(z.string()), c: z.string() });
  const layouts = [
    "a: ${V}\nb: [x, ${V}, y]\nc: z\n",
    "{ a: '${V}', b: [x, \"${V}\", y], c: z }",
    "c: z\nb:\n- x\n- ${V}\n- y\na: ${V} # ${V}\n",
  ];
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.constantFrom(...layouts), (value, text) => {
      const read = readDocument(text, { file: "f", env: { V: value }, schema });
      expect(read.ok ? read.value : read.faults).toEqual({ a: value, b: ["x", value, "y"], c: "z" });
    }),
  );
});

test("a default is taken as it is written, whatever it looks like", () => {
  const schema = z.strictObject({ list: z.array(z.string()) });
  const fallback = fc.stringMatching(/^[ -#%-z|~]*$/).filter((text) => !/["'\\]/.test(text));
  fc.assert(
    fc.property(fallback, (text) => {
      const read = readDocument(`list: [a, $\{V:-${text}}, b]\n`, { file: "f", env: {}, schema });
      expect(read.ok ? read.value : read.faults).toEqual({ list: ["a", text, "b"] });
    }),
  );
});

test("what the yaml library writes is read back the same", () => {
  const plain = fc.string().filter((text) => !text.includes("${"));
  const value = fc.dictionary(
    plain.filter((key) => key !== "__proto__"),
    fc.oneof(plain, fc.integer(), fc.boolean(), fc.constant(null)),
  );
  fc.assert(
    fc.property(value, (written) => {
      const read = readDocument(stringify(written), {
        file: "f",
        env: {},
        schema: z.record(z.string(), z.unknown()),
      });
      expect(read.ok ? { ...read.value } : read.faults).toEqual({ ...written });
    }),
  );
});
