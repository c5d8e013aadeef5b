/** WebSocket frames as bytes (RFC 6455 section 5.2), with the shortest length form that fits. */

/** A binary frame with this many payload bytes. */
export function webSocketFrame(length: number, isMasked: boolean): Buffer {
  const maskBit = isMasked ? 0x80 : 0;
  const mask = Buffer.from(isMasked ? [1, 2, 3, 4] : []);
  return Buffer.concat([Buffer.from([0x82]), lengthField(length, maskBit), mask, Buffer.alloc(length, 0x7e)]);
}

function lengthField(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([maskBit | length]);
  if (length < 65_536) return Buffer.from([maskBit | 126, length >> 8, length & 0xff]);
  const field = Buffer.alloc(9);
  field[0] = maskBit | 127;
  field.writeBigUInt64BE(BigInt(length), 1);
  return field;
}
