import { deflateSync } from 'node:zlib';

/** From here on zlib's own tables are worth being set up. */
const largeFrom = 4096;

/** Compresses the whole of an object: fast rather than small, since `git repack` does it again. For small ones zlib gets
 *  small tables, which would else take longer to set up than to use, and a buffer that just holds the result. */
export function deflate(body: Uint8Array): Buffer {
  const tables = body.byteLength < largeFrom ? { memLevel: 5, windowBits: 13 } : {};
  return deflateSync(body, { level: 1, chunkSize: body.byteLength + 64, ...tables });
}
