/**
 * Where does a function change its sign? Bisection and interpolation by Chandrupatla's rule, safe on steps and flat
 * parts.
 *
 * @param f      a function whose values at `low` and `high` differ in sign or are 0; infinities are signs like any
 *               other number.
 * @returns x between low and high with a change of sign within `tolerance` (absolute) or a few roundings of x.
 * @throws RangeError when f has the same sign at both ends, or is NaN on the way.
 *
 * Source: Chandrupatla (1997), Advances in Engineering Software 28, 145-149.
 * @example findRoot((x) => x * x - 2, 0, 2) // 1.41421
 */
export function findRoot(f: (x: number) => number, low: number, high: number, tolerance = 0): number {
  let b = low;
  let a = high;
  let fb = f(b);
  let fa = f(a);
  if (Number.isNaN(fa) || Number.isNaN(fb)) throw new RangeError("f is NaN at an end of the interval");
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (fa > 0 === fb > 0) throw new RangeError(`f has the same sign at ${low} and ${high}`);
  let t = 0.5;
  for (let i = 0; i < MAX_STEPS; i++) {
    const x = a + t * (b - a);
    const fx = f(x);
    if (Number.isNaN(fx)) throw new RangeError(`f is NaN at ${x}`);
    let c = a;
    let fc = fa;
    if (fx > 0 !== fa > 0) {
      c = b;
      fc = fb;
      b = a;
      fb = fa;
    }
    a = x;
    fa = fx;
    const best = Math.abs(fa) < Math.abs(fb) ? a : b;
    const slack = 2 * Number.EPSILON * Math.abs(best) + tolerance / 2 + Number.MIN_VALUE;
    const relative = slack / Math.abs(b - a);
    if (fa === 0 || relative > 0.5) return best;
    t = interpolated(a, b, c, fa, fb, fc);
    t = Math.min(1 - relative, Math.max(relative, t));
  }
  return a;
}

/** Bisection alone needs 1100 steps from 1 to the smallest double; no function here comes near. */
const MAX_STEPS = 2000;

/**
 * The fraction of the way from a to b at which inverse quadratic interpolation sees the root, or 1/2 where it may not
 * be trusted.
 */
function interpolated(a: number, b: number, c: number, fa: number, fb: number, fc: number): number {
  const xi = (a - b) / (c - b);
  const phi = (fa - fb) / (fc - fb);
  if (!(phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)) return 0.5;
  const t = (fa / (fb - fa)) * (fc / (fb - fc)) + ((c - a) / (b - a)) * (fa / (fc - fa)) * (fb / (fc - fb));
  return Number.isFinite(t) ? t : 0.5;
}
