/**
 * Kayenta's root finder: Brent's method in the shape of R's `zeroin`, with an absolute tolerance of 1e-4.
 *
 * Not `stats/find-root.ts`: the function is a step function, and which point within 1e-4 of a jump comes out decides
 * classes. A candidate whose values lie closer together than that gets an end of the interval back, whatever it holds.
 *
 * @param f       the function; it may be NaN or infinite, and need not change its sign: then some point in between is
 *                returned.
 * @param atLow   f(low); likewise atHigh. An end where f is 0 is returned at once, low before high.
 * @returns a point where f is 0, or one end of the last bracket; after MAX_STEPS the point reached.
 * Source: Brent (1973), Algorithms for Minimization without Derivatives, chapter 4; spinnaker/kayenta, BrentSolver.
 */
export function brentRoot(f: (x: number) => number, low: number, high: number, atLow: number, atHigh: number): number {
  // b is the best point so far, a the one before it, c the other end of the bracket.
  let [a, b, c] = [low, high, low];
  let [fa, fb, fc] = [atLow, atHigh, atLow];
  if (isZero(fa)) return a;
  if (isZero(fb)) return b;
  for (let step = 0; step < MAX_STEPS; step++) {
    const previous = b - a;
    if (Math.abs(fc) < Math.abs(fb)) {
      [a, b, c] = [b, c, b];
      [fa, fb, fc] = [fb, fc, fb];
    }
    const tolerance = 2 * Number.EPSILON * Math.abs(b) + TOLERANCE / 2;
    let next = (c - b) / 2;
    if (Math.abs(next) <= tolerance || isZero(fb)) return b;
    if (Math.abs(previous) >= tolerance && Math.abs(fa) > Math.abs(fb)) {
      const interpolated = interpolate(a, b, c, fa, fb, fc, tolerance, previous);
      if (interpolated !== null) next = interpolated;
    }
    if (Math.abs(next) < tolerance) next = next > 0 ? tolerance : -tolerance;
    [a, fa] = [b, fb];
    b += next;
    fb = f(b);
    if ((fb > 0 && fc > 0) || (fb < 0 && fc < 0)) [c, fc] = [a, fa];
  }
  return b;
}

const TOLERANCE = 1e-4;
const MAX_STEPS = 1001;

/** The step by secant or inverse quadratic interpolation, or null where it would not beat bisection. */
function interpolate(
  a: number,
  b: number,
  c: number,
  fa: number,
  fb: number,
  fc: number,
  tolerance: number,
  previous: number,
): number | null {
  const span = c - b;
  let p: number;
  let q: number;
  if (a === c) {
    const t = fb / fa;
    p = span * t;
    q = 1 - t;
  } else {
    const [r, s, t] = [fa / fc, fb / fc, fb / fa];
    p = t * (span * r * (r - s) - (b - a) * (s - 1));
    q = (r - 1) * (s - 1) * (t - 1);
  }
  if (p > 0) q = -q;
  else p = -p;
  const isShort = p < 0.75 * span * q - Math.abs(tolerance * q) / 2 && p < Math.abs((previous * q) / 2);
  return isShort ? p / q : null;
}

/** Equal to 0 or next to it among the doubles. */
function isZero(value: number): boolean {
  return Math.abs(value) <= Number.MIN_VALUE;
}
