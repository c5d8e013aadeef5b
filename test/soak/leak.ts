/**
 * Loaded into the gate of a soak that is to fail (`node --import`): every fifth request leaves a
 * descriptor open, so that anybody can see the soak find it.
 */
import { subscribe } from "node:diagnostics_channel";
import { openSync } from "node:fs";

let requests = 0;
subscribe("http.server.request.start", () => {
  if (++requests % 5 === 0) openSync("/dev/null", "r");
});
