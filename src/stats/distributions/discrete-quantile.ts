/**
 * The smallest whole k in [low, high] whose cumulative probability reaches p.
 *
 * A probability that misses p by rounding alone (relative 1e-12, and near 1 the last bit of p) counts as reached, so that
 * `quantile(cdf(k)) = k`. Above p = 1/2 the upper tail is compared, because the lower one no longer tells its digits apart.
 *
 * @param guess  where the search starts; a good one saves steps, a bad one costs only steps.
 */
export function discreteQuantile(
  p: number,
  guess: number,
  low: number,
  high: number,
  cdf: (k: number) => number,
  sf: (k: number) => number,
): number {
  if (p === 0) return low;
  if (p === 1) return high;
  const q = 1 - p;
  const reached = (k: number): boolean =>
    p <= 0.5 ? cdf(k) >= p * (1 - SLACK) : sf(k) <= q * (1 + SLACK) + Number.EPSILON;
  const start = Math.min(high, Math.max(low, Math.round(guess)));
  let below: number; // not reached, or low - 1
  let above: number; // reached
  if (reached(start)) {
    above = start;
    below = start - 1;
    for (let stride = 1; below >= low && reached(below); stride *= 2) {
      above = below;
      below = Math.max(low - 1, below - stride);
    }
  } else {
    below = start;
    above = Math.min(high, start + 1);
    for (let stride = 1; above < high && !reached(above); stride *= 2) {
      below = above;
      above = Math.min(high, above + stride);
    }
  }
  below = Math.max(below, low - 1);
  while (above - below > 1) {
    const middle = below + Math.floor((above - below) / 2);
    if (reached(middle)) above = middle;
    else below = middle;
  }
  return above;
}

const SLACK = 1e-12;
