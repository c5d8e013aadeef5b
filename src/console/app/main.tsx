/** Where the console begins: the session decides what is drawn. */
import { type JSX, render } from "preact";
import { WorkDialog } from "./dialogs/work-dialog.tsx";
import { SignInDialog, SignInPage } from "./pages/sign-in.tsx";
import { Waiting } from "./parts/notice.tsx";
import { Announcer, Banner, Shell } from "./shell.tsx";
import { startClock } from "./state/clock.ts";
import { useObservable } from "./state/observable.ts";
import { followAddress } from "./state/route.ts";
import { sessionState, startSession } from "./state/session.ts";
import { startTheme } from "./state/theme.ts";
import { work } from "./state/work.ts";

function Console(): JSX.Element {
  const state = useObservable(sessionState);
  const task = useObservable(work);
  if (state.kind === "unknown") {
    return (
      <main class="start">
        <Banner />
        <Waiting />
      </main>
    );
  }
  if (state.kind === "none") return <SignInPage />;
  // The only copy of a secret stays in sight; signing in can wait until it is stored.
  const isLocked = state.kind === "ended" && task?.kind !== "secret";
  return (
    <>
      <div class={isLocked ? "locked" : undefined} key={state.session.token_id ?? state.session.name}>
        <Shell session={state.session} />
        <WorkDialog session={state.session} />
      </div>
      {isLocked && <SignInDialog />}
    </>
  );
}

startTheme();
startClock();
followAddress();
startSession();

const root = document.querySelector("#app");
if (root !== null) {
  render(
    <>
      <Console />
      <Announcer />
    </>,
    root,
  );
}
