/**
 * A modal dialog: the browser's own, which keeps the focus inside and gives it back. Closing by
 * Escape, by the button and by the page all go through `onClose`, and whoever has something to
 * lose there may say no by staying.
 */
import type { ComponentChildren, JSX } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

/** The last is on top: Escape is meant for that one. */
const open: HTMLDialogElement[] = [];

interface DialogProps {
  readonly title: string;
  /** Somebody wants it closed. It stays open as long as it is drawn. */
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** For what cannot be undone. */
  readonly isAlert?: boolean;
  readonly isWide?: boolean;
  readonly hasNoCloseButton?: boolean;
}

export function Dialog(props: DialogProps): JSX.Element {
  const { title, onClose, children, isAlert = false, isWide = false, hasNoCloseButton = false } = props;
  const titleId = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const latestClose = useRef(onClose);
  latestClose.current = onClose;
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const invoker = document.activeElement;
    element.showModal();
    open.push(element);
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.isComposing || event.defaultPrevented || open.at(-1) !== element)
        return;
      event.preventDefault();
      latestClose.current();
    };
    // Not on the dialog: the focus is nowhere after what had it was removed.
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
      open.splice(open.indexOf(element), 1);
      element.close();
      // The browser gives the focus back where it can; a removed element it cannot.
      if (document.activeElement === document.body && invoker instanceof HTMLElement) invoker.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={isWide ? "dialog dialog-wide" : "dialog"}
      role={isAlert ? "alertdialog" : undefined}
      aria-labelledby={titleId}
      // A second Escape would close it unasked; every Escape is ours.
      {...{ closedby: "none" }}
      onCancel={(event) => event.preventDefault()}
    >
      <div class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        {!hasNoCloseButton && (
          <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {children}
    </dialog>
  );
}
