/**
 * Who is signed in. The session itself is a cookie that scripts cannot read; here is only what the
 * registry says about it. A session that ends while somebody works keeps the page: they sign in
 * over it and go on.
 */
import { getSession, signIn, signOut } from "../api/calls.ts";
import { Failure } from "../api/failure.ts";
import type { Role, Session } from "../api/shapes.ts";
import { retries } from "./connection.ts";
import { Observable } from "./observable.ts";

export type SessionState =
  | { readonly kind: "unknown" }
  | { readonly kind: "none" }
  | { readonly kind: "open"; readonly session: Session }
  /** Over, but the page is still there. */
  | { readonly kind: "ended"; readonly session: Session };

export const sessionState: Observable<SessionState> = new Observable<SessionState>({ kind: "unknown" });

/** Other tabs share the cookie; they hear of signing in and out. */
const tabs = new BroadcastChannel("keyward-session");
/** `setTimeout` cannot wait longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const RETRY_MS = 3000;

let expiry: ReturnType<typeof setTimeout> | undefined;

export function startSession(): void {
  tabs.addEventListener("message", () => void check());
  retries.subscribe(() => void check());
  void checkUntilAnswered();
}

async function checkUntilAnswered(): Promise<void> {
  if (!(await check())) setTimeout(() => void checkUntilAnswered(), RETRY_MS);
}

/** Asks the registry whether there is a session; tells whether it answered. */
export async function check(): Promise<boolean> {
  try {
    open(await getSession({ isPoll: true }));
    return true;
  } catch (failure) {
    if (failure instanceof Failure && failure.kind === "signed_out") sessionEnded();
    return failure instanceof Failure && failure.kind !== "unreachable";
  }
}

/** Throws a `Failure`. */
export async function enter(token: string): Promise<void> {
  open(await signIn(token));
  tellTabs();
}

/** Throws a `Failure` when the registry could not be told: then the session is still there. */
export async function leave(): Promise<void> {
  await signOut();
  clearTimeout(expiry);
  sessionState.set({ kind: "none" });
  tellTabs();
}

/** A call was refused for want of a session. */
export function sessionEnded(): void {
  clearTimeout(expiry);
  const { value } = sessionState;
  if (value.kind === "open") sessionState.set({ kind: "ended", session: value.session });
  else if (value.kind === "unknown") sessionState.set({ kind: "none" });
}

/** Does the session's role include this one? The server decides; this only hides what it would refuse. */
export function mayChangeKeys(role: Role): boolean {
  return role !== "viewer";
}

function tellTabs(): void {
  // A channel reaches this origin only; it has no target to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  tabs.postMessage("changed");
}

function open(session: Session): void {
  clearTimeout(expiry);
  const leftMs = Date.parse(session.expires_at) - Date.now();
  // A machine whose clock is wrong must not ask in a circle.
  expiry = setTimeout(() => void checkUntilAnswered(), Math.min(Math.max(leftMs, 60_000), TIMER_MAX_MS));
  const { value } = sessionState;
  const isSame = value.kind === "open" && JSON.stringify(value.session) === JSON.stringify(session);
  if (!isSame) sessionState.set({ kind: "open", session });
}
