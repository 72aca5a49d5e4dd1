/**
 * Combining e-values of several tests, on the log scale. Averages hold under any dependence between the tests.
 */
import { requireFraction, requireNumbers, requirePositive, requireSameLength } from "./check-input.ts";

/**
 * Is any of several nulls false? The weighted mean of their e-values is an e-value of "all are true".
 *
 * @param logEs    log e-values, at least one; -Infinity (an e-value of 0) is allowed.
 * @param weights  positive, any scale; default equal.
 * @returns log of the mean; reject at level alpha when it reaches log(1 / alpha). Never weaker than weighted Bonferroni.
 * @throws RangeError when a log e-value is NaN or Infinity, lengths differ, or a weight is not positive.
 *
 * Source: Vovk & Wang (2021), Ann. Stat. 49, 1736-1754. @example averageLogE([Math.log(30), Math.log(2)]) // 2.7726
 */
export function averageLogE(logEs: readonly number[], weights: readonly number[] = logEs.map(() => 1)): number {
  requireLogEs(logEs, weights);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const top = Math.max(...logEs);
  if (top === -Infinity) return -Infinity;
  return top + Math.log(logEs.reduce((sum, logE, i) => sum + (weights[i] / total) * Math.exp(logE - top), 0));
}

/**
 * Which of several nulls are false, with P(any false rejection) <= alpha at all looks? Closed testing with averages (e-Holm).
 *
 * @param logEs    as in `averageLogE`.
 * @param weights  positive, any scale; default equal.
 * @returns for each null the log of the smallest mean over all sets of nulls that hold it: name it when this reaches
 *          log(1 / alpha). Never above its own log e-value.
 * @throws RangeError as `averageLogE`.
 *
 * The worst sets join a null with the smallest e-values of the others, so sorting is enough: O(k^2) for k nulls.
 * Source: Vovk & Wang (2021), section 4. @example closedLogE([Math.log(50), Math.log(10)]) // [3.4012, 2.3026]
 */
export function closedLogE(logEs: readonly number[], weights: readonly number[] = logEs.map(() => 1)): number[] {
  requireLogEs(logEs, weights);
  const rising = logEs.map((_, i) => i).sort((i, j) => logEs[i] - logEs[j]);
  return logEs.map((logE, i) => {
    if (logE === -Infinity) return -Infinity;
    // Relative to its own e-value, which is an upper bound, so that nothing overflows.
    let sum = weights[i];
    let weight = weights[i];
    for (const j of rising) {
      const ratio = Math.exp(Math.min(0, logEs[j] - logE));
      if (ratio * weight >= sum) break;
      if (j === i) continue;
      sum += weights[j] * ratio;
      weight += weights[j];
    }
    return logE + Math.log(sum / weight);
  });
}

/**
 * Which of many nulls are false, with the expected share of false ones among them <= level? The e-Benjamini-Hochberg rule,
 * valid under any dependence.
 *
 * @returns for each null whether it is rejected.
 * @throws RangeError as `averageLogE`, or when level is outside (0, 1).
 *
 * For exploration, not for verdicts. Source: Wang & Ramdas (2022), J. R. Stat. Soc. B 84, 822-852.
 * @example eBenjaminiHochberg([Math.log(100), Math.log(15), 0], 0.1) // [true, true, false]
 */
export function eBenjaminiHochberg(logEs: readonly number[], level: number): boolean[] {
  requireLogEs(
    logEs,
    logEs.map(() => 1),
  );
  requireFraction("level", level);
  const falling = logEs.map((_, i) => i).sort((i, j) => logEs[j] - logEs[i]);
  let count = 0;
  falling.forEach((i, rank) => {
    // Equality counts: e-values that are whole multiples of 1 / level are common in examples.
    if (logEs[i] >= Math.log(logEs.length / (level * (rank + 1))) - 1e-12) count = rank + 1;
  });
  const rejected = logEs.map(() => false);
  for (const i of falling.slice(0, count)) rejected[i] = true;
  return rejected;
}

function requireLogEs(logEs: readonly number[], weights: readonly number[]): void {
  if (logEs.length === 0) throw new RangeError("logEs is empty");
  requireSameLength("logEs", logEs, "weights", weights);
  requireNumbers("weights", weights);
  weights.forEach((weight, i) => requirePositive(`weights[${i}]`, weight));
  logEs.forEach((logE, i) => {
    if (!(logE < Infinity)) throw new RangeError(`logEs[${i}] is ${logE}`);
  });
}
