import { requireCounts, requirePositive, requireSameLength } from "./check-input.ts";
import { chiSquareFit, type ChiSquareTest } from "./chi-square-test.ts";
import { logGamma, logGammaRatio } from "./distributions/log-gamma.ts";
import { sum } from "./sum.ts";

/**
 * How sure the sequential test is beforehand that the ratio is the configured one, in units. Found ratios near 1 %
 * off are noticed soonest near this value.
 */
const CONCENTRATION = 50;

/** An alarm stops a run, so it is to be raised once in a thousand runs without reason. */
export const SAMPLE_RATIO_ALPHA = 0.001;

/**
 * Sample-ratio test at one look: did the arms get the traffic that was configured?
 *
 * @param counts   units per arm (not requests), whole numbers, at least 2 arms.
 * @param weights  the configured weight of each arm, positive, any scale.
 * @returns chi-square `statistic`, `df`, `p`; a p below SAMPLE_RATIO_ALPHA voids the comparison, since who is missing
 *          is not missing by chance.
 * @throws RangeError when lengths differ, there are fewer than 2 arms, a count is not whole, or a weight is not
 * positive.
 *
 * For a single look; looking again and again needs `updateSampleRatio`.
 * Source: Fabijan et al. (2019), KDD '19, 2156-2164.
 * @example sampleRatioTest([821588, 815482], [1, 1]).p // 1.82179e-6
 */
export function sampleRatioTest(counts: ArrayLike<number>, weights: ArrayLike<number>): ChiSquareTest {
  requireCounts("counts", counts, 2);
  return chiSquareFit(counts, weights);
}

/** What the sequential sample-ratio test remembers between looks; plain numbers, fit for JSON. */
export interface SampleRatioState {
  /** Units so far, and as many as the weights in force would have given. */
  readonly counts: readonly number[];
  readonly expected: readonly number[];
  /** The log of the e-value now, and the largest so far: the alarm stays on. */
  readonly logE: number;
  readonly maxLogE: number;
}

/** The state before the first look. @example startSampleRatio(2).logE // 0 */
export function startSampleRatio(arms: number): SampleRatioState {
  if (!(Number.isInteger(arms) && arms >= 2)) throw new RangeError(`arms is ${arms}, not a whole number of at least 2`);
  const zeros = Array.from({ length: arms }, () => 0);
  return { counts: zeros, expected: zeros, logE: 0, maxLogE: 0 };
}

/**
 * Sample-ratio test at every look: takes in the units that came since the last one.
 *
 * @param state     from `startSampleRatio` or the last update. Not modified.
 * @param counts    new units per arm since the last look.
 * @param weights   the weights configured while they came; they may change from look to look (a ramp).
 * @param options   `concentration` > 0, fixed for the whole run.
 * @returns the new state; alarm when `maxLogE` >= log(1 / SAMPLE_RATIO_ALPHA), see `sampleRatioAlarm`.
 * @throws RangeError when lengths differ, a count is not whole, or a weight or the concentration is not positive.
 *
 * The e-value is a likelihood ratio: a Dirichlet prediction that learns from past looks how far each arm strays from
 * its weight, against the weights. With the configured ratio it is a martingale of mean 1, whatever the looks, so it
 * ever exceeds 1/alpha with probability at most alpha. With constant weights it is the Dirichlet-multinomial mixture
 * of all counts.
 * Source: Lindon & Malek (2022), NeurIPS 35, for constant weights; Ville (1939) for the bound.
 * @example updateSampleRatio(startSampleRatio(2), [60, 40], [1, 1]).logE // 0.793682
 */
export function updateSampleRatio(
  state: SampleRatioState,
  counts: ArrayLike<number>,
  weights: ArrayLike<number>,
  options: { readonly concentration?: number } = {},
): SampleRatioState {
  const { concentration = CONCENTRATION } = options;
  requirePositive("concentration", concentration);
  requireCounts("counts", counts, 2);
  requireSameLength("counts", counts, "weights", weights);
  requireSameLength("counts", counts, "state.counts", state.counts);
  let weightSum = 0;
  for (let j = 0; j < weights.length; j++) {
    requirePositive(`weights[${j}]`, weights[j]);
    weightSum += weights[j];
  }
  const shares = Array.from(weights, (weight) => weight / weightSum);
  // How many times its expected units each arm has had so far, drawn towards 1 by the concentration.
  const tilted = shares.map(
    (share, j) => (share * (concentration * share + state.counts[j])) / (concentration * share + state.expected[j]),
  );
  const scale = (concentration + sum(state.counts)) / sum(tilted);

  const fresh = sum(counts);
  let logE = state.logE - logRise(scale * sum(tilted), fresh);
  shares.forEach((share, j) => {
    logE += logRise(scale * tilted[j], counts[j]) - counts[j] * Math.log(share);
  });
  return {
    counts: state.counts.map((count, j) => count + counts[j]),
    expected: state.expected.map((count, j) => count + fresh * shares[j]),
    logE,
    maxLogE: Math.max(state.maxLogE, logE),
  };
}

/** Has the e-value ever passed 1/alpha? @example sampleRatioAlarm(updateSampleRatio(startSampleRatio(2), [300, 100], [1, 1])) // true */
export function sampleRatioAlarm(state: SampleRatioState, alpha = SAMPLE_RATIO_ALPHA): boolean {
  return state.maxLogE >= -Math.log(alpha);
}

/** log of x (x + 1) ... (x + k - 1). */
function logRise(x: number, k: number): number {
  if (k === 0) return 0;
  return x >= 10 ? logGammaRatio(x, k) : logGamma(x + k) - logGamma(x);
}
