/** Where a key or a gate stands: a sign, a word and a colour, so that none is needed alone. */
import type { JSX } from "preact";
import type { Key } from "../api/shapes.ts";
import { useNow } from "../state/clock.ts";
import { Icon, type IconName } from "./icon.tsx";
import { DAY_MS } from "./wording.ts";

export type Tone = "good" | "warn" | "bad" | "quiet" | "info";

interface BadgeProps {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly text: string;
  readonly title?: string;
}

export function Badge({ tone, icon, text, title }: BadgeProps): JSX.Element {
  return (
    <span class={`badge badge-${tone}`} title={title}>
      <Icon name={icon} />
      {text}
    </span>
  );
}

const SOON_MS = 7 * DAY_MS;

export function KeyStatusBadge({ keyView }: { readonly keyView: Key }): JSX.Element {
  const nowMs = useNow();
  const { status, expires_at } = keyView;
  if (status === "revoked") return <Badge tone="bad" icon="stop" text="Revoked" title="Refused, for good" />;
  if (status === "expired")
    return <Badge tone="quiet" icon="clock" text="Expired" title="Refused; rotate in time next time" />;
  if (status === "not_yet_valid") return <Badge tone="info" icon="clock" text="Not yet valid" />;
  if (status === "rotating") {
    return (
      <Badge
        tone="info"
        icon="rotate"
        text="Rotating"
        title="It has a successor and works until the overlap ends"
      />
    );
  }
  const isSoon = expires_at !== undefined && Date.parse(expires_at) - nowMs < SOON_MS;
  if (isSoon)
    return (
      <Badge
        tone="warn"
        icon="warning"
        text="Expires soon"
        title="Rotate it, or its clients will be refused"
      />
    );
  return <Badge tone="good" icon="check" text="Active" />;
}
