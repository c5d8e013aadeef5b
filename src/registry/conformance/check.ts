/**
 * What a conformance check is: a promise of the key registry protocol, asked of a server from the
 * outside. `skip` means that the server does not offer what is optional.
 */
import type { Cursor } from "../../keys/wire.ts";
import type { ProtocolClient } from "./client.ts";

export type Verdict =
  | { readonly outcome: "pass"; readonly note?: string }
  | { readonly outcome: "fail"; readonly note: string }
  | { readonly outcome: "skip"; readonly note: string };

/** What earlier checks have found out. */
export interface Findings {
  /** Of the first whole snapshot; undefined while there is none. */
  cursor?: Cursor;
  /** One digest that the snapshot holds, as written, and the JSON of its record. */
  known?: { readonly digest: string; readonly record: string };
  keys?: number;
}

export interface Check {
  readonly id: string;
  readonly title: string;
  /** Without it no gate can work; the others make it faster. */
  readonly isRequired: boolean;
  /** Leaves a trace on the server. */
  readonly isWriting?: true;
  readonly run: (client: ProtocolClient, findings: Findings) => Promise<Verdict>;
}

export const pass = (note?: string): Verdict => ({ outcome: "pass", ...(note !== undefined && { note }) });
export const fail = (note: string): Verdict => ({ outcome: "fail", note });
export const skip = (note: string): Verdict => ({ outcome: "skip", note });

/** What servers answer for calls that they do not have. */
export function isNotOffered(status: number): boolean {
  return status === 404 || status === 405 || status === 501;
}
