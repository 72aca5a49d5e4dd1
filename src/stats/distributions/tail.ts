/** A probability as its logarithm, with its complement when that is the number computed (see `toProbability`). */
export interface Tail {
  /** log of the tail that was computed directly, with full relative accuracy. */
  readonly log: number;
  /** Whether that tail is the upper one. */
  readonly upper: boolean;
}

/** The lower or upper probability of a tail known on one side. */
export function toProbability(tail: Tail, upper: boolean): number {
  return tail.upper === upper ? Math.exp(tail.log) : -Math.expm1(tail.log);
}

/** The logarithm of the lower or upper probability of a tail known on one side. */
export function toLogProbability(tail: Tail, upper: boolean): number {
  return tail.upper === upper ? tail.log : log1mExp(tail.log);
}

/** log(1 - exp(x)) for x <= 0. */
export function log1mExp(x: number): number {
  return x > -Math.LN2 ? Math.log(-Math.expm1(x)) : Math.log1p(-Math.exp(x));
}

/**
 * Solves logTail(w) = target by Newton's method, for a distribution on the logarithm or log-odds scale w, |w| <= 700, whose density there is log-concave.
 *
 * Then the log of either tail is concave and monotone in w, so that Newton's method converges from any start: the first
 * step may overshoot into the tail, every later one approaches the root from there.
 *
 * @param logDensity  log of the density of w (not of the original variable).
 * @param sign        1 for a lower tail (rises with w), -1 for an upper tail.
 */
export function invertLogTail(
  target: number,
  start: number,
  logTail: (w: number) => number,
  logDensity: (w: number) => number,
  sign: 1 | -1,
): number {
  let w = start;
  for (let i = 0; i < MAX_STEPS; i++) {
    const log = logTail(w);
    const step = sign * (target - log) * Math.exp(log - logDensity(w));
    w = Math.min(MAX_LOG, Math.max(-MAX_LOG, w + step));
    // Newton's method squares the error: after this step it is beyond the last bit.
    if (Math.abs(step) < 1e-9) break;
  }
  return w;
}

/** exp(w) must neither overflow nor vanish: an overshooting first step stops here. */
const MAX_LOG = 700;

/** Far tails need about log2(exponent) steps; a hundred is never reached. */
const MAX_STEPS = 100;
