/**
 * Degrees of freedom of a sum of independent variance estimates: (sum v)^2 / sum (v^2 / df).
 *
 * Where there is no variance, or an infinite one, the df of all together, at least 1: nothing depends on them.
 * @example satterthwaite([2, 2], [7, 7]) // 14
 */
export function satterthwaite(variances: ArrayLike<number>, dfs: ArrayLike<number>): number {
  let sum = 0;
  let weighted = 0;
  let all = 0;
  for (let i = 0; i < variances.length; i++) sum += variances[i];
  for (let i = 0; i < variances.length; i++) {
    all += dfs[i];
    // As shares of the sum, so that neither tiny nor huge measurement units underflow.
    const share = variances[i] / sum;
    if (share > 0) weighted += (share * share) / dfs[i];
  }
  return sum > 0 && sum < Infinity && weighted > 0 ? 1 / weighted : Math.max(1, all);
}
