import { describe, expect, test } from "vitest";
import { FrameBoundary } from "../../../src/gate/frame-boundary.ts";
import { webSocketFrame } from "../../support/websocket-frame.ts";

function after(...chunks: readonly Buffer[]): boolean {
  const boundary = new FrameBoundary();
  for (const chunk of chunks) boundary.push(chunk);
  return boundary.isBetweenFrames;
}

test("a stream begins between two frames", () => {
  expect(after()).toBe(true);
  expect(after(Buffer.alloc(0))).toBe(true);
});

describe("a frame (RFC 6455 section 5.2)", () => {
  const lengths = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000];

  test.for(
    lengths.flatMap((length) => [
      { length, isMasked: false },
      { length, isMasked: true },
    ]),
  )("of $length bytes (masked: $isMasked) ends exactly at its last byte", ({ length, isMasked }) => {
    const frame = webSocketFrame(length, isMasked);
    expect(after(frame)).toBe(true);
    for (const cut of new Set([1, 2, 3, 4, 8, 10, 13, frame.length - 1])) {
      if (cut < 1 || cut >= frame.length) continue;
      expect(after(frame.subarray(0, cut)), `cut after ${cut}`).toBe(false);
      expect(after(frame.subarray(0, cut), frame.subarray(cut)), `joined after ${cut}`).toBe(true);
    }
    expect(after(Buffer.concat([frame, Buffer.from([0x81])]))).toBe(false);
  });

  test("may say a short length in a long form", () => {
    expect(after(Buffer.from([0x82, 126, 0, 2, 0x61]))).toBe(false);
    expect(after(Buffer.from([0x82, 126, 0, 2, 0x61, 0x62]))).toBe(true);
    expect(after(Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1]))).toBe(false);
    expect(after(Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x61]))).toBe(true);
  });

  test("of a length beyond any memory is skipped, not held", () => {
    const head = Buffer.from([0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    expect(after(head, Buffer.alloc(1024))).toBe(false);
  });

  test("whose payload looks like frames is one frame", () => {
    const payload = Buffer.concat([webSocketFrame(3, false), webSocketFrame(0, true)]);
    const frame = Buffer.concat([Buffer.from([0x82, payload.length]), payload]);
    for (let cut = 1; cut < frame.length; cut++)
      expect(after(frame.subarray(0, cut)), String(cut)).toBe(false);
    expect(after(frame)).toBe(true);
  });
});
