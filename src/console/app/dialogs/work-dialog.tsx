/** The dialog of what is being done right now, if anything is. */
import type { JSX } from "preact";
import type { Session } from "../api/shapes.ts";
import { useObservable } from "../state/observable.ts";
import { work } from "../state/work.ts";
import { CreateDialog } from "./create.tsx";
import { EditDialog } from "./edit.tsx";
import { EndDialog } from "./end.tsx";
import { RotateDialog } from "./rotate.tsx";
import { SecretDialog } from "./secret.tsx";

export function WorkDialog({ session }: { readonly session: Session }): JSX.Element | null {
  const task = useObservable(work);
  if (task === undefined) return null;
  switch (task.kind) {
    case "create":
      return <CreateDialog session={session} />;
    case "edit":
      return <EditDialog subject={task.subject} />;
    case "rotate":
      return <RotateDialog subject={task.subject} />;
    case "end":
      return <EndDialog how={task.how} subject={task.subject} />;
    case "secret":
      return <SecretDialog made={task.made} replaces={task.replaces} session={session} />;
  }
}
