/** The value below which the share `q` of `samples` lies; NaN of none. */
export function quantile(samples, q) {
  if (samples.length === 0) return Number.NaN;
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

export function median(samples) {
  return quantile(samples, 0.5);
}

/** Median and p95 of milliseconds, and how many there are. */
export function summary(samples) {
  return { samples: samples.length, median_ms: median(samples), p95_ms: quantile(samples, 0.95) };
}

/** The median of how many times longer than `base` a variant took. Only samples of the same round are compared, so that
 *  a slow spell of the machine counts on both sides.
 *  @param samples milliseconds by round, as from `interleave`. @returns null where no round has both. */
export function ratio(samples, base) {
  if (!samples || !base) return null;
  const both = [...samples].filter(([round]) => base.has(round)).map(([round, ms]) => ms / base.get(round));
  return both.length === 0 ? null : median(both);
}
