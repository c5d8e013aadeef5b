/** Signing in: a token for a session. The token is forgotten as soon as it was sent. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure, messageOf } from "../api/failure.ts";
import { Brand, ThemeButton } from "../parts/brand.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { Notice } from "../parts/notice.tsx";
import { announce } from "../state/announcer.ts";
import { enter, leave } from "../state/session.ts";

export function SignInPage(): JSX.Element {
  useEffect(() => {
    document.title = "Sign in · Keyward";
  }, []);
  return (
    <main class="start">
      <div class="start-card">
        <Brand />
        <h1>Sign in</h1>
        <SignInForm />
      </div>
      <div class="start-foot">
        <ThemeButton />
      </div>
    </main>
  );
}

/** Over a page whose session has ended; the page waits unseen beneath. */
export function SignInDialog(): JSX.Element {
  return (
    <Dialog title="Your session has ended" onClose={() => undefined} hasNoCloseButton>
      <p>Sign in again to go on where you were. What you had begun to fill in is still there.</p>
      <SignInForm />
      <button type="button" class="link-button" onClick={() => void leave().catch(() => undefined)}>
        Leave this page and sign out
      </button>
    </Dialog>
  );
}

function SignInForm(): JSX.Element {
  const [token, setToken] = useState("");
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("input")?.focus(), []);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setFailure(undefined);
    try {
      await enter(token.trim());
      setToken("");
      announce("Signed in");
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(reasonOf(error));
      setBusy(false);
      form.current?.querySelector("input")?.select();
    }
  };
  return (
    <form
      ref={form}
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() !== "" && !isBusy) void submit();
      }}
    >
      {failure !== undefined && (
        <Notice tone="bad" isAlert>
          {failure}
        </Notice>
      )}
      <TextField
        label="Admin token"
        type="password"
        value={token}
        onChange={setToken}
        autoComplete="current-password"
        isRequired
        isMono
        hint={
          <>
            Made by <code>keyward registry token create</code>, or printed by{" "}
            <code>keyward registry init</code>. It is exchanged for a session and not kept.
          </>
        }
      />
      <button type="submit" class="button primary wide" disabled={isBusy}>
        {isBusy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

function reasonOf(failure: Failure): string {
  if (failure.kind === "signed_out")
    return "This token is not valid here. Check that it is whole, not revoked and not expired.";
  if (failure.code === "role_missing")
    return "This token belongs to a gate. The console needs a viewer, operator or admin token.";
  return messageOf(failure);
}
