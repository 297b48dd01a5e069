/** Escape sequences of terminals: colours, cursor moves, titles. */
const escapes = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g;
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/** Text without what only a terminal understands. A character that was cut at either end is left out. */
export function plainText(bytes: Buffer): string {
  let from = 0;
  while (from < Math.min(3, bytes.length) && (bytes[from]! & 0xc0) === 0x80) from += 1;
  // As a stream, the decoder keeps an unfinished character back.
  const text = new TextDecoder().decode(bytes.subarray(from), { stream: true });
  return text.replace(escapes, '').replace(/\r\n?/g, '\n').replace(controls, '');
}

/** The end of `text` in at most `bytesMax` bytes, by whole characters. */
export function endOfText(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= bytesMax ? text : plainText(bytes.subarray(-bytesMax)).trimStart();
}
