/**
 * Kayenta's own interval for a shift, written anew from its published behaviour, as a peer to time `shiftInterval`
 * against: the roots of a standardised rank sum in the shift, by Brent's method with an absolute tolerance of 1e-4, all
 * values ranked anew at every step.
 * Source: spinnaker/kayenta, kayenta-judge/src/main/scala/com/netflix/kayenta/judge (NetflixACAJudge, MannWhitney).
 */
export function kayentaInterval(candidate: Float64Array, baseline: Float64Array, quantile: number) {
  const low = Math.min(...extremes(candidate)) - Math.max(...extremes(baseline));
  const high = Math.max(...extremes(candidate)) - Math.min(...extremes(baseline));
  const root = (offset: number) => {
    const atLow = standardised(candidate, baseline, low) - offset;
    const atHigh = standardised(candidate, baseline, high) - offset;
    if (atLow <= 0) return low;
    if (atHigh >= 0) return high;
    return brent((shift) => standardised(candidate, baseline, shift) - offset, low, high, atLow, atHigh);
  };
  return { lower: root(quantile), upper: root(-quantile), estimate: root(0) };
}

const TOLERANCE = 1e-4;

/** W(shift): the rank sum of candidate - shift, centred, with continuity and tie correction. */
function standardised(x: Float64Array, y: Float64Array, shift: number): number {
  const n = x.length;
  const m = y.length;
  const pooled = new Float64Array(n + m);
  for (let i = 0; i < n; i++) pooled[i] = x[i] - shift;
  pooled.set(y, n);
  const order = Uint32Array.from(pooled, (_, i) => i).sort((a, b) => pooled[a] - pooled[b]);
  let rankSum = 0;
  let ties = 0;
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && pooled[order[to]] === pooled[order[from]]) to += 1;
    const size = to - from;
    ties += size ** 3 - size;
    for (let k = from; k < to; k++) if (order[k] < n) rankSum += (from + to + 1) / 2;
    from = to;
  }
  const total = n + m;
  const distance = rankSum - (n * (n + 1)) / 2 - (n * m) / 2;
  const deviation = Math.sqrt(((n * m) / 12) * (total + 1 - ties / (total * (total - 1))));
  return (distance - Math.sign(distance) * 0.5) / deviation;
}

function extremes(values: Float64Array): [number, number] {
  let least = Infinity;
  let greatest = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return [least, greatest];
}

/** Brent (1973), Algorithms for Minimization without Derivatives, chapter 4. */
function brent(f: (x: number) => number, low: number, high: number, atLow: number, atHigh: number): number {
  let [a, b, c] = [low, high, low];
  let [fa, fb, fc] = [atLow, atHigh, atLow];
  for (let step = 0; step <= 1000; step++) {
    const previous = b - a;
    if (Math.abs(fc) < Math.abs(fb)) {
      [a, b, c] = [b, c, b];
      [fa, fb, fc] = [fb, fc, fb];
    }
    const tolerance = 2 * Number.EPSILON * Math.abs(b) + TOLERANCE / 2;
    const half = (c - b) / 2;
    if (Math.abs(half) <= tolerance || fb === 0) return b;
    let next = half;
    if (Math.abs(previous) >= tolerance && Math.abs(fa) > Math.abs(fb)) {
      const s = fb / fa;
      let p = 2 * half * s;
      let q = 1 - s;
      if (a !== c) {
        const [t, r] = [fa / fc, fb / fc];
        p = s * (2 * half * t * (t - r) - (b - a) * (r - 1));
        q = (t - 1) * (r - 1) * (s - 1);
      }
      if (p > 0) q = -q;
      else p = -p;
      if (p < 1.5 * half * q - Math.abs(tolerance * q) / 2 && p < Math.abs((previous * q) / 2)) next = p / q;
    }
    if (Math.abs(next) < tolerance) next = half > 0 ? tolerance : -tolerance;
    [a, fa] = [b, fb];
    b += next;
    fb = f(b);
    if (fb > 0 === fc > 0) [c, fc] = [a, fa];
  }
  return b;
}
