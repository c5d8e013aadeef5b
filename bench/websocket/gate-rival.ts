/** The gate itself: undici's upgrade. */
import { makeKey, writeKeys } from "../../test/support/fixtures.ts";
import { startTestGate } from "../../test/support/test-gate.ts";
import { HANDSHAKE_TIMEOUT_MS, type Rival, key } from "./rival.ts";

export const gateRival: Rival = {
  name: "gate (undici upgrade)",
  async start(upstreamUrl) {
    const timeouts = { headers: `${HANDSHAKE_TIMEOUT_MS}ms` };
    const gate = await startTestGate({
      upstreamUrl,
      keys: [key],
      config: { upstreams: { default: { url: upstreamUrl, timeouts } }, log: { access: false } },
    });
    return {
      url: gate.url,
      async revoke() {
        await writeKeys(gate.folder, [makeKey()]);
      },
      [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
    };
  },
};
