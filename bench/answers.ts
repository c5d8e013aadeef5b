/** What the bench's backend answers, whichever server it is. */

/** A memory as JSON: the small answer, 244 bytes. */
export const SMALL_ANSWER: string = JSON.stringify({
  id: "mem_01J9Z6K8Q2",
  text: "Ada prefers tea to coffee, black and without sugar.",
  user_id: "user_ada",
  tags: ["preference", "drink"],
  score: 0.8731,
  created_at: "2026-11-21T00:00:00Z",
  updated_at: "2026-11-21T00:00:00Z",
  version: 3,
});

/** Files by name and size. */
export const FILES: Readonly<Record<string, number>> = { "64k": 64 * 1024, "1m": 1024 * 1024 };
