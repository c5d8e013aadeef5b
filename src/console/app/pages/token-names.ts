/** Who is behind the tokens of the audit log, as far as the session may know. */
import { listTokens } from "../api/calls.ts";
import type { Session } from "../api/shapes.ts";
import { useLoaded } from "../state/loaded.ts";

/** Only administrators may list tokens; others read ids, and themselves. */
export function useTokenNames(session: Session): ReadonlyMap<string, string> {
  const isAdmin = session.role === "admin";
  const { data } = useLoaded(`tokens ${isAdmin}`, async (how) =>
    isAdmin ? await listTokens(how) : { items: [] },
  );
  const names = new Map((data?.items ?? []).map(({ id, name }) => [id, name]));
  if (session.token_id !== undefined) names.set(session.token_id, `${session.name} (you)`);
  return names;
}
