/**
 * `${NAME}` and `${NAME:-default}` inside one text; `$${` stands for a literal `${`. A `$` before
 * anything else is a `$`. What cannot be resolved is a fault, never a literal: a gate that sends
 * `${BACKEND_TOKEN}` to its backend is worse than one that does not start.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong, and the text to find the place by. */
export interface VariableFault {
  readonly message: string;
  /** Text as written from `${` on. */
  readonly written: string;
}

export interface Expansion {
  readonly text: string;
  readonly faults: readonly VariableFault[];
}

const REFERENCE = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-([^${}]*))?\})?/g;

/** Undefined when nothing stands there to be expanded. */
export function expandVariables(text: string, env: Environment): Expansion | undefined {
  if (!text.includes("${")) return undefined;
  const faults: VariableFault[] = [];
  const expanded = text.replaceAll(
    REFERENCE,
    (
      written: string,
      name: string | undefined,
      hasDefault: string | undefined,
      fallback: string | undefined,
    ) => {
      if (written === "$${") return "${";
      if (name === undefined) {
        faults.push({ message: "write ${NAME} or ${NAME:-default}; a literal ${ is written $${", written });
        return "";
      }
      const value = env[name];
      // As in a shell, `:-` also replaces an empty value.
      if (hasDefault !== undefined) return value === undefined || value === "" ? (fallback ?? "") : value;
      if (value === undefined) {
        faults.push({ message: `the environment variable ${name} is not set`, written });
      }
      return value ?? "";
    },
  );
  return { text: expanded, faults };
}

/** YAML's own characters, and what hides them for as long as a text is parsed: one for one, so that places stay. */
const STRUCTURE = "{}[],:#&*!|>%@`";
const HIDING_START = 0xe000;
const HIDING = /[\ue000-\ue00f]/g;

/**
 * Makes every reference inert for the YAML parser, so that `{ port: ${PORT} }` can be written
 * without quotes and nothing inside a reference can open a mapping or a comment.
 */
export function hideReferences(text: string): string {
  // Such characters have no place in a config; where they stand all the same, nothing is hidden.
  if (text.search(HIDING) !== -1) return text;
  return text.replaceAll(/\$\{[^{}\n"'\\]*\}/g, (reference) =>
    reference.replaceAll(/[{}[\],:#&*!|>%@`]/g, (character) =>
      String.fromCharCode(HIDING_START + STRUCTURE.indexOf(character)),
    ),
  );
}

/** The text as it was before `hideReferences`. */
export function showReferences(text: string): string {
  return text.replaceAll(HIDING, (hidden) => STRUCTURE.charAt(hidden.charCodeAt(0) - HIDING_START));
}
