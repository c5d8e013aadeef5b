/** Wherever the network cuts a stream of frames, the gate knows whether it stands between two. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FrameBoundary } from "../../../src/gate/frame-boundary.ts";
import { webSocketFrame } from "../../support/websocket-frame.ts";

const frames = fc.array(
  fc
    .tuple(
      fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 255, 256, 65_535, 65_536), fc.nat(70_000)),
      fc.boolean(),
    )
    .map(([length, isMasked]) => webSocketFrame(length, isMasked)),
  { minLength: 1, maxLength: 6 },
);
const cuts = fc.array(fc.nat(200_000), { maxLength: 12 });

test("after every chunk it is between frames exactly when the bytes so far are whole frames", () => {
  fc.assert(
    fc.property(frames, cuts, (frames, cuts) => {
      const stream = Buffer.concat(frames);
      const ends = new Set([0]);
      let end = 0;
      for (const frame of frames) ends.add((end += frame.length));
      // Cuts at the ends and beside them, too: those are where it could be wrong.
      const near = [...ends].flatMap((at) => [at - 1, at, at + 1, at + 2]);
      const borders = [...new Set([...cuts, ...near, stream.length])]
        .filter((at) => at > 0 && at <= stream.length)
        .toSorted((a, b) => a - b);
      const boundary = new FrameBoundary();
      let from = 0;
      for (const to of borders) {
        boundary.push(stream.subarray(from, to));
        expect(boundary.isBetweenFrames, `after ${to} bytes`).toBe(ends.has(to));
        from = to;
      }
    }),
  );
});

test("byte by byte or at once is the same", () => {
  const small = fc.array(
    fc.tuple(fc.nat(300), fc.boolean()).map(([length, isMasked]) => webSocketFrame(length, isMasked)),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(small, fc.nat(1000), (frames, length) => {
      const stream = Buffer.concat(frames).subarray(0, length);
      const whole = new FrameBoundary();
      whole.push(stream);
      const bytewise = new FrameBoundary();
      for (let at = 0; at < stream.length; at++) bytewise.push(stream.subarray(at, at + 1));
      expect(bytewise.isBetweenFrames).toBe(whole.isBetweenFrames);
    }),
  );
});
