/** Small pictures beside words; never instead of them, unless the button has a label of its own. */
import type { JSX } from "preact";

const PATHS = {
  key: "M10.5 9.5a4 4 0 1 0-4-4c0 .4 0 .8.2 1.2L2 11.4V14h2.6v-1.8h1.8v-1.8h1.3l.9-1c.6.1 1.2.1 1.9.1ZM11.4 4.6h.01",
  usage: "M2 14h12M4 11V8M7 11V4M10 11V6.5M13 11V2.5",
  gate: "M2.5 3.5h11v4h-11zM2.5 9.5h11v4h-11zM5 5.5h.01M5 11.5h.01M8 5.5h3M8 11.5h3",
  audit: "M4 2h6l3 3v9H4zM10 2v3h3M6.5 8h4M6.5 10.5h4",
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h7v8h-7zM10.5 5.5v-3h-7v8h2",
  check: "m3 8.5 3.2 3.2L13 4.8",
  close: "m4 4 8 8M12 4l-8 8",
  warning: "M8 2 1.8 13h12.4zM8 6.5v3M8 11.2h.01",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4 14 14",
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  light:
    "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7",
  dark: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z",
  leave: "M6 2.5H3v11h3M10.5 5 13.5 8l-3 3M13.2 8H6.5",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.6",
  stop: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 3.8l8.4 8.4",
  edit: "M10.5 3.2 12.8 5.5 5.6 12.7 2.8 13.2 3.3 10.4z",
  rotate: "M13 8a5 5 0 1 1-1.6-3.7M13.2 2v3h-3",
  up: "m4 10 4-4 4 4",
  down: "m4 6 4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
