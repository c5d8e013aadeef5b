/**
 * Ids that tie an access-log line to an answer and to the upstream's log. Unique across processes
 * by their random start; counting on is cheaper than fresh randomness per request. They are no
 * secret and prove nothing. A client's own id is never adopted: it could collide on purpose.
 */
export function requestIds(start: string): () => string {
  let count = 0;
  return () => `${start}-${(++count).toString(36)}`;
}
