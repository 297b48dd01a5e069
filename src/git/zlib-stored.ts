const blockBytesMax = 65_535;

/** `bytes` as a zlib stream that does not compress: for what does not shrink, to try takes longer than all the rest of
 *  writing it. Source: RFC 1950 and 1951, section 3.2.4. */
export function stored(bytes: Uint8Array): Buffer {
  const blocks = Math.max(1, Math.ceil(bytes.byteLength / blockBytesMax));
  const stream = Buffer.allocUnsafe(2 + blocks * 5 + bytes.byteLength + 4);
  stream.writeUInt16BE(0x7801, 0);
  let end = 2;
  for (let block = 0; block < blocks; block += 1) {
    const part = bytes.subarray(block * blockBytesMax, (block + 1) * blockBytesMax);
    stream[end] = block === blocks - 1 ? 1 : 0;
    stream.writeUInt16LE(part.byteLength, end + 1);
    stream.writeUInt16LE(part.byteLength ^ 0xffff, end + 3);
    stream.set(part, end + 5);
    end += 5 + part.byteLength;
  }
  stream.writeUInt32BE(adler32(bytes), end);
  return stream;
}

/** Bytes until the sums have to be reduced, so that they stay exact. */
const sumBytesMax = 5552;

function adler32(bytes: Uint8Array): number {
  let [low, high] = [1, 0];
  for (let at = 0; at < bytes.byteLength; ) {
    const end = Math.min(at + sumBytesMax, bytes.byteLength);
    for (; at < end; at += 1) {
      low += bytes[at]!;
      high += low;
    }
    low %= 65_521;
    high %= 65_521;
  }
  return high * 65_536 + low;
}
