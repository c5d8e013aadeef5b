/** The name of the product, and the choice of its colours. */
import type { JSX } from "preact";
import { useObservable } from "../state/observable.ts";
import { setTheme, type Theme, theme } from "../state/theme.ts";
import { Icon } from "./icon.tsx";

export function Brand(): JSX.Element {
  return (
    <p class="brand">
      <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M9 8v16M22.5 8.6 13 16l9.5 7.4" />
      </svg>
      Keyward
    </p>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };
const THEME_TEXT: Readonly<Record<Theme, string>> = { system: "as the system", light: "light", dark: "dark" };

export function ThemeButton(): JSX.Element {
  const current = useObservable(theme);
  const next = NEXT_THEME[current];
  const label = `Colours: ${THEME_TEXT[current]}. Change to ${THEME_TEXT[next]}`;
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={() => setTheme(next)}>
      <Icon name={current} />
    </button>
  );
}
