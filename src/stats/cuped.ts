import { requireNumbers, requireSameLength } from "./check-input.ts";
import { inferEffect, type Inference, type InferenceOptions } from "./effect.ts";
import type { EffectInfluence } from "./influence.ts";
import { moments } from "./moments.ts";
import { solveSymmetric } from "./solve-symmetric.ts";
import { differenceOfMeans, type MeanOptions } from "./welch.ts";

/**
 * One arm's values, one per unit, and covariates known before the unit met a version: each column as long as the
 * values.
 */
export interface CovariateArm {
  readonly values: ArrayLike<number>;
  readonly covariates: readonly ArrayLike<number>[];
}

export interface Cuped extends Inference {
  /** One per covariate; 0 for a column that is constant or repeats the others. */
  readonly coefficients: Float64Array;
  /** The share of the variance that the covariates took away, in [0, 1). */
  readonly reduction: number;
}

/**
 * What is the difference of means once the part that covariates foretell is taken out? CUPED.
 *
 * @param candidate  values and covariates (a user's earlier mean cost, the length of the prompt), n >= 2 units. Not
 *                   modified.
 * @param baseline   the same columns for the baseline, m >= 2 units.
 * @param options    as `inferEffect`; `ranks: true` takes each value's and covariate's place among the other arm
 *                   instead: the estimate is then theta - 1/2, with theta = P(candidate > baseline) + P(equal) / 2,
 *                   and heavy tails lose their weight.
 * @returns the inference by Welch's variance of the adjusted values y - k (x - mean x), widened for the estimation of
 *          k; `coefficients` k; `reduction`.
 * @throws RangeError when an arm has fewer than 2 units or no covariate, lengths or numbers of columns differ, or a
 * number is not finite.
 *
 * k is the least-squares slope within arms, pooled, so the estimate stays unbiased whatever the covariates are worth,
 * as long as no version could touch them. Skewed values in unequal arms need `pooledFloor` (see welch).
 * Source: Deng, Xu, Kohavi & Walker (2013), WSDM '13, 123-132.
 * @example cuped({ values: [3, 5, 7], covariates: [[1, 2, 3]] }, { values: [2, 4, 7], covariates: [[1, 2, 3]] }).reduction // 0.973118
 */
export function cuped(
  candidate: CovariateArm,
  baseline: CovariateArm,
  options: InferenceOptions & MeanOptions & { readonly ranks?: boolean } = {},
): Cuped {
  requireArm("candidate", candidate);
  requireArm("baseline", baseline);
  if (candidate.covariates.length !== baseline.covariates.length) {
    throw new RangeError(
      `candidate has ${candidate.covariates.length} covariates and baseline has ${baseline.covariates.length}`,
    );
  }
  const ranks = options.ranks === true;
  const columns = (own: CovariateArm, other: CovariateArm) =>
    [own.values, ...own.covariates].map((column, k) =>
      ranks ? places(column, k === 0 ? other.values : other.covariates[k - 1]) : Float64Array.from(column),
    );
  const c = columns(candidate, baseline);
  const b = columns(baseline, candidate);

  const products = sumOfProducts([c.map(centred), b.map(centred)]);
  const inner = products.slice(1).map((row) => row.slice(1));
  const coefficients = solveSymmetric(inner, products[0].slice(1));
  const plain = differenceOfMeans(moments(c[0]), moments(b[0]), options);
  const adjustedArms = [adjusted(c, coefficients), adjusted(b, coefficients)] as const;
  const effect = differenceOfMeans(moments(adjustedArms[0]), moments(adjustedArms[1]), options);

  // The slopes are estimated too: each takes one degree of freedom, and errs in proportion to how far the arms'
  // covariates happen to lie apart.
  const rest = c[0].length + b[0].length - 2;
  const left = rest - coefficients.filter((k) => k !== 0).length;
  const apart = Float64Array.from(coefficients, (_, k) => moments(c[k + 1]).mean - moments(b[k + 1]).mean);
  const distance = solveSymmetric(inner, apart).reduce((sum, value, k) => sum + value * apart[k], 0);
  const residual = adjustedArms.reduce((sum, arm) => sum + (arm.length - 1) * moments(arm).variance, 0) / left;
  const variance = left > 0 ? (effect.variance * rest) / left + residual * distance : Infinity;
  const df = left > 0 ? (effect.df * left) / rest : 1;
  // Places in the other arm average theta and 1 - theta, so their difference is 2 theta - 1, while its variance is
  // that of theta.
  const estimate = ranks ? effect.estimate / 2 : effect.estimate;
  const reduction = plain.variance > 0 ? Math.max(0, 1 - variance / plain.variance) : 0;
  return { ...inferEffect({ estimate, variance, df }, options), coefficients, reduction };
}

/**
 * The same for any statistic with influence values: subtracts the covariates' own effects, whose true value is 0, as
 * far as they foretell the error.
 *
 * @param effect      the effect of the metric.
 * @param covariates  the effects of covariates on the same rows in the same order, estimated by any statistic with
 *                    expectation 0: a difference of means, theta - 1/2.
 * @returns the adjusted effect with influence values, to pass to `clusterRobust`; coefficients as above.
 * @throws RangeError when the numbers of rows differ or there is no covariate.
 * @example controlVariates(differenceInfluence(meanInfluence([3, 5, 7]), meanInfluence([2, 4, 7])), [differenceInfluence(meanInfluence([1, 2, 3]), meanInfluence([1, 2, 3]))]).coefficients[0] // 2.25
 */
export function controlVariates(
  effect: EffectInfluence,
  covariates: readonly EffectInfluence[],
): EffectInfluence & { readonly coefficients: Float64Array } {
  if (covariates.length === 0) throw new RangeError("covariates is empty");
  covariates.forEach((covariate, k) => {
    requireSameLength("effect.candidate", effect.candidate, `covariates[${k}].candidate`, covariate.candidate);
    requireSameLength("effect.baseline", effect.baseline, `covariates[${k}].baseline`, covariate.baseline);
  });
  const all = [effect, ...covariates];
  const c = all.map((part) => Float64Array.from(part.candidate));
  const b = all.map((part) => Float64Array.from(part.baseline));
  const products = sumOfProducts([c, b]);
  const coefficients = solveSymmetric(
    products.slice(1).map((row) => row.slice(1)),
    products[0].slice(1),
  );
  let estimate = effect.estimate;
  covariates.forEach((covariate, k) => (estimate -= coefficients[k] * covariate.estimate));
  return { estimate, candidate: adjusted(c, coefficients), baseline: adjusted(b, coefficients), coefficients };
}

function requireArm(name: string, arm: CovariateArm): void {
  requireNumbers(`${name}.values`, arm.values, 2);
  if (arm.covariates.length === 0) throw new RangeError(`${name}.covariates is empty`);
  arm.covariates.forEach((column, k) => {
    requireNumbers(`${name}.covariates[${k}]`, column);
    requireSameLength(`${name}.values`, arm.values, `${name}.covariates[${k}]`, column);
  });
}

/** The first column less its coefficients times the others. */
function adjusted(columns: readonly Float64Array[], coefficients: Float64Array): Float64Array {
  return columns[0].map((value, i) => {
    let sum = value;
    for (let k = 0; k < coefficients.length; k++) sum -= coefficients[k] * columns[k + 1][i];
    return sum;
  });
}

function centred(column: Float64Array): Float64Array {
  const { mean } = moments(column);
  return column.map((value) => value - mean);
}

/** The matrix of inner products of the columns, added over the arms. */
function sumOfProducts(arms: readonly (readonly Float64Array[])[]): Float64Array[] {
  const size = arms[0].length;
  const matrix = Array.from({ length: size }, () => new Float64Array(size));
  for (const columns of arms) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k <= j; k++) {
        let sum = 0;
        for (let i = 0; i < columns[j].length; i++) sum += columns[j][i] * columns[k][i];
        matrix[j][k] += sum;
        if (k < j) matrix[k][j] += sum;
      }
    }
  }
  return matrix;
}

/** For each value the share of the other arm below it, equals counted half. */
function places(values: ArrayLike<number>, other: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(other).sort();
  return Float64Array.from(
    values,
    (value) => (firstAbove(sorted, value, false) + firstAbove(sorted, value, true)) / 2 / sorted.length,
  );
}

/** How many sorted numbers are below a value, or, with `orEqual`, below or equal to it. */
function firstAbove(sorted: Float64Array, value: number, orEqual: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value || (orEqual && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
