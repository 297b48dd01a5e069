/** A copy takes at most this much at once, for readers that know version 2 of packs alone. */
const copyBytesMax = 0xffff;
const insertBytesMax = 127;

/** What turns `base` into `target` where they differ in one stretch: what is before and behind it is copied.
 *  @returns null where that would save less than half. Source: gitformat-pack(5), "Deltified representation". */
export function deltaBetween(base: Buffer, target: Buffer): Buffer | null {
  const shorter = Math.min(base.byteLength, target.byteLength);
  const start = commonLength(shorter, (from, to) => base.compare(target, from, to, from, to) === 0);
  const [baseEnd, end] = [base.byteLength, target.byteLength];
  const tail = commonLength(
    shorter - start,
    (from, to) => base.compare(target, end - to, end - from, baseEnd - to, baseEnd - from) === 0,
  );
  const changed = target.subarray(start, target.byteLength - tail);
  if (changed.byteLength * 2 > target.byteLength) return null;
  const bytes: number[] = [...varint(base.byteLength), ...varint(target.byteLength)];
  copy(bytes, 0, start);
  for (let at = 0; at < changed.byteLength; at += insertBytesMax) {
    const part = changed.subarray(at, at + insertBytesMax);
    bytes.push(part.byteLength, ...part);
  }
  copy(bytes, base.byteLength - tail, tail);
  return Buffer.from(bytes);
}

/** How many of `size` bytes are the same from the beginning on: stretches are compared as a whole, the one that differs in
 *  ever shorter ones. */
function commonLength(size: number, areSame: (from: number, to: number) => boolean): number {
  let at = 0;
  for (let step = 512; step >= 1; step = Math.floor(step / 8)) {
    while (at + step <= size && areSame(at, at + step)) at += step;
  }
  return at;
}

/** How far behind an entry of a pack its base begins. */
export function baseDistance(distance: number): number[] {
  const bytes = [distance & 127];
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) {
    rest -= 1;
    bytes.unshift((rest & 127) | 128);
  }
  return bytes;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

function copy(bytes: number[], offset: number, size: number): void {
  for (let at = 0; at < size; at += copyBytesMax) {
    const [from, length] = [offset + at, Math.min(copyBytesMax, size - at)];
    const fields = [
      from & 255,
      (from >>> 8) & 255,
      (from >>> 16) & 255,
      from >>> 24,
      length & 255,
      length >>> 8,
    ];
    const present = fields.map((value, bit) => (value === 0 ? 0 : 1 << bit)).reduce((sum, bit) => sum | bit);
    bytes.push(128 | present, ...fields.filter((value) => value !== 0));
  }
}
