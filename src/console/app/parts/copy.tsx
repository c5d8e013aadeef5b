/** Copying to the clipboard, with an answer that is seen and heard. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announce } from "../state/announcer.ts";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 2500;

interface CopyButtonProps {
  readonly text: string;
  /** What is copied, "Key" or "Key id". */
  readonly what: string;
  readonly onCopied?: () => void;
  /** Without words; the label says them. */
  readonly isSmall?: boolean;
  readonly class?: string;
}

export function CopyButton({
  text,
  what,
  onCopied,
  isSmall = false,
  ...props
}: CopyButtonProps): JSX.Element {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (button: HTMLElement): Promise<void> => {
    const isCopied = await copyText(text, button);
    setState(isCopied ? "copied" : "failed");
    announce(
      isCopied
        ? `${what} copied to the clipboard`
        : `${what} could not be copied; select and copy it by hand`,
    );
    if (isCopied) onCopied?.();
  };
  const words = { idle: "Copy", copied: "Copied", failed: "Not copied" }[state];
  return (
    <button
      type="button"
      class={isSmall ? "icon-button" : `button ${props.class ?? ""}`}
      aria-label={isSmall ? `Copy ${what.toLowerCase()}` : undefined}
      title={isSmall ? words : undefined}
      onClick={(event) => void copy(event.currentTarget)}
    >
      <Icon name={state === "copied" ? "check" : "copy"} />
      {!isSmall && words}
    </button>
  );
}

/** @param near inside the same dialog: what is outside a modal one cannot be selected */
async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, near);
  }
}

/** Without HTTPS there is no clipboard API; the old way still works. */
function copyBySelection(text: string, near: HTMLElement): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  field.readOnly = true;
  near.after(field);
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    near.focus();
  }
}
