/** Light, dark, or as the system has it. The choice is the only thing that the console stores. */
import { Observable } from "./observable.ts";

export type Theme = "system" | "light" | "dark";

const STORED_AS = "keyward-theme";

export const theme: Observable<Theme> = new Observable(storedTheme());

/** Counts up when colours may have changed: what is painted on a canvas must be painted again. */
export const paint: Observable<number> = new Observable(0);

export function startTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint.set(paint.value + 1));
}

export function setTheme(next: Theme): void {
  theme.set(next);
  try {
    localStorage.setItem(STORED_AS, next);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  apply();
}

function apply(): void {
  const { dataset } = document.documentElement;
  if (theme.value === "system") delete dataset["theme"];
  else dataset["theme"] = theme.value;
  paint.set(paint.value + 1);
}

function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(STORED_AS);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}
