/** What surrounds every page: where one can go, who is signed in, and whether the registry answers. */
import type { JSX } from "preact";
import type { Session } from "./api/shapes.ts";
import { Brand, ThemeButton } from "./parts/brand.tsx";
import { Icon, type IconName } from "./parts/icon.tsx";
import { announcement } from "./state/announcer.ts";
import { connection, retryNow } from "./state/connection.ts";
import { useObservable } from "./state/observable.ts";
import { hrefOf, place } from "./state/route.ts";
import { leave } from "./state/session.ts";
import { Page } from "./pages/page.tsx";

const SECTIONS: readonly { readonly path: string; readonly text: string; readonly icon: IconName }[] = [
  { path: "keys", text: "Keys", icon: "key" },
  { path: "usage", text: "Usage", icon: "usage" },
  { path: "gates", text: "Gates", icon: "gate" },
  { path: "audit", text: "Audit", icon: "audit" },
];

export function Shell({ session }: { readonly session: Session }): JSX.Element {
  const { path } = useObservable(place);
  const current = path[0] ?? "keys";
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={skipToContent}>
        Skip to content
      </a>
      <header class="side">
        <Brand />
        <nav class="sections" aria-label="Sections">
          {SECTIONS.map(({ path: section, text, icon }) => (
            <a
              key={section}
              class="section"
              href={hrefOf([section])}
              aria-current={section === current ? "page" : undefined}
            >
              <Icon name={icon} />
              {text}
            </a>
          ))}
        </nav>
        <div class="side-foot">
          <p class="who">
            <span class="who-name">{session.name}</span>
            <span class="who-role">{session.role}</span>
          </p>
          <div class="side-buttons">
            <ThemeButton />
            <button
              type="button"
              class="icon-button"
              aria-label="Sign out"
              title="Sign out"
              onClick={() => void signOut()}
            >
              <Icon name="leave" />
            </button>
          </div>
        </div>
      </header>
      <div class="content">
        <Banner />
        <main id="content" tabIndex={-1}>
          <Page session={session} />
        </main>
      </div>
    </div>
  );
}

/** The registry does not answer: what is on the page may be old, and it says so. */
export function Banner(): JSX.Element {
  const { isDown, reason } = useObservable(connection);
  return (
    <div role="status">
      {isDown && (
        <div class="banner">
          <Icon name="warning" />
          <span>
            <b>{reason}</b> What you see may be out of date; the console tries again by itself. Gates go on
            with the keys they have.
          </span>
          <button type="button" class="button small" onClick={retryNow}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}

export function Announcer(): JSX.Element {
  return (
    <div class="unseen" aria-live="polite" data-announcer>
      {useObservable(announcement)}
    </div>
  );
}

async function signOut(): Promise<void> {
  try {
    await leave();
  } catch {
    // The banner says that the registry is not there; the session is as it was.
  }
}

/** Not by the fragment: that is where the page stands. */
function skipToContent(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#content")?.focus();
}
