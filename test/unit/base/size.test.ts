import { expect, test } from "vitest";
import { formatSize, parseSize } from "../../../src/base/size.ts";

test.for([
  ["0", 0],
  ["1000", 1000],
  ["12B", 12],
  ["64KiB", 65_536],
  ["10MiB", 10_485_760],
  ["1GiB", 1_073_741_824],
  ["2TiB", 2_199_023_255_552],
] as const)("%s is %i bytes", ([text, bytes]) => {
  expect(parseSize(text)).toBe(bytes);
});

test.for(["", "KiB", "1KB", "1kib", "1.5MiB", "-1", "1 KiB", "1e3", "99999999TiB", "1KiB\n"])(
  "%j is no size",
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test.for([
  [0, "0"],
  [1000, "1000"],
  [1024, "1KiB"],
  [1536, "1536"],
  [67_108_864, "64MiB"],
  [1_099_511_627_776, "1TiB"],
] as const)("%i bytes are written %s", ([bytes, text]) => {
  expect(formatSize(bytes)).toBe(text);
});
