/** What went wrong, or what there is to know, in the place where it matters. */
import type { ComponentChildren, JSX } from "preact";
import { type Failure, messageOf } from "../api/failure.ts";
import { Icon } from "./icon.tsx";

interface NoticeProps {
  readonly tone: "bad" | "warn" | "info";
  readonly children: ComponentChildren;
  /** Read out as soon as it is there. */
  readonly isAlert?: boolean;
}

export function Notice({ tone, children, isAlert = false }: NoticeProps): JSX.Element {
  return (
    <div class={`notice notice-${tone}`} role={isAlert ? "alert" : undefined}>
      <Icon name={tone === "info" ? "clock" : "warning"} />
      <div class="notice-text">{children}</div>
    </div>
  );
}

/** What cannot be reached has a banner of its own, so a page need not repeat it. */
export function FailureNotice({
  failure,
  onRetry,
}: {
  readonly failure: Failure | undefined;
  readonly onRetry?: () => void;
}): JSX.Element | null {
  if (failure === undefined || failure.kind === "signed_out") return null;
  if (failure.kind === "unreachable" && onRetry !== undefined) return null;
  return (
    <Notice tone="bad" isAlert>
      {messageOf(failure)}
      {onRetry !== undefined && (
        <button type="button" class="button small" onClick={onRetry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Lines of grey where something will be. */
export function Waiting({ lines = 3 }: { readonly lines?: number }): JSX.Element {
  return (
    <div class="waiting" role="status">
      <span class="unseen">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class="waiting-line" />
      ))}
    </div>
  );
}
