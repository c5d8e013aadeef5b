/** From the place in the address to the page. */
import type { JSX } from "preact";
import type { Session } from "../api/shapes.ts";
import { Empty } from "../parts/notice.tsx";
import { PageHead } from "../parts/page-head.tsx";
import { useObservable } from "../state/observable.ts";
import { hrefOf, place } from "../state/route.ts";
import { AuditPage } from "./audit.tsx";
import { GatesPage } from "./gates.tsx";
import { KeyPage } from "./key.tsx";
import { KeysPage } from "./keys.tsx";
import { UsagePage } from "./usage.tsx";

export function Page({ session }: { readonly session: Session }): JSX.Element {
  const { path, query } = useObservable(place);
  const [section = "keys", id, ...rest] = path;
  if (rest.length === 0) {
    if (section === "keys") {
      return id === undefined ? (
        <KeysPage session={session} query={query} />
      ) : (
        <KeyPage key={id} id={id} session={session} query={query} />
      );
    }
    if (id === undefined) {
      if (section === "usage") return <UsagePage query={query} />;
      if (section === "gates") return <GatesPage />;
      if (section === "audit") return <AuditPage session={session} query={query} />;
    }
  }
  return (
    <>
      <PageHead title="No such page" />
      <Empty title="The console has no page at this address.">
        <a href={hrefOf(["keys"])}>Go to the keys</a>
      </Empty>
    </>
  );
}
