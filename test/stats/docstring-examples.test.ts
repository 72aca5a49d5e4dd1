import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blockLength } from "../../src/stats/block-length.ts";
import { boschloo } from "../../src/stats/boschloo.ts";
import { chiSquareFit, chiSquareIndependence } from "../../src/stats/chi-square-test.ts";
import { clusterRobust } from "../../src/stats/cluster-robust.ts";
import { agreementTable, cohenKappa } from "../../src/stats/cohen-kappa.ts";
import { controlVariates, cuped } from "../../src/stats/cuped.ts";
import { dispersion } from "../../src/stats/dispersion.ts";
import { inferEffect } from "../../src/stats/effect.ts";
import { effectiveSampleSize } from "../../src/stats/effective-sample-size.ts";
import { exactUnconditional } from "../../src/stats/exact-unconditional.ts";
import { findRoot } from "../../src/stats/find-root.ts";
import { fisherExact } from "../../src/stats/fisher.ts";
import { hallInverse, hallTransform } from "../../src/stats/hall-transform.ts";
import {
  differenceInfluence,
  logMeanInfluence,
  logRatioInfluence,
  meanInfluence,
  quantileInfluence,
  ratioInfluence,
} from "../../src/stats/influence.ts";
import { krippendorffAlpha } from "../../src/stats/krippendorff-alpha.ts";
import { logRatioOfMeans } from "../../src/stats/log-ratio-of-means.ts";
import { autoregressiveVariance, cosineVariance, longRunVariance } from "../../src/stats/long-run-variance.ts";
import { mcNemar } from "../../src/stats/mcnemar.ts";
import { mixShift, numericMixShift } from "../../src/stats/mix-shift.ts";
import { moments } from "../../src/stats/moments.ts";
import { newcombeInterval, newcombePairedInterval } from "../../src/stats/newcombe.ts";
import { pairedProportionsTest } from "../../src/stats/paired-proportions.ts";
import { pairByStep } from "../../src/stats/pair-by-step.ts";
import { populationStability } from "../../src/stats/population-stability.ts";
import { positionBias } from "../../src/stats/position-bias.ts";
import { predictionPoweredMean } from "../../src/stats/prediction-powered.ts";
import { proportionInterval, zeroEventBound } from "../../src/stats/proportion-interval.ts";
import { proportionRatioInterval, proportionRatioTest } from "../../src/stats/proportion-ratio.ts";
import { quantileBins } from "../../src/stats/quantile-bins.ts";
import { quantileDifference, quantileInterval } from "../../src/stats/quantile-difference.ts";
import { rateDifferenceInterval, rateDifferenceTest } from "../../src/stats/rate-difference.ts";
import { rateInterval } from "../../src/stats/rate-interval.ts";
import { rateRatioInterval, rateRatioTest } from "../../src/stats/rate-ratio.ts";
import { ratioOfMeansInterval, ratioOfMeansTest } from "../../src/stats/ratio-of-means.ts";
import { roganGladen, roganGladenDifference } from "../../src/stats/rogan-gladen.ts";
import {
  sampleRatioAlarm,
  sampleRatioTest,
  startSampleRatio,
  updateSampleRatio,
} from "../../src/stats/sample-ratio.ts";
import { solveSymmetric } from "../../src/stats/solve-symmetric.ts";
import { weighedTogether } from "../../src/stats/stratified.ts";
import { meanThreshold, proportionThreshold, quantileThreshold, rateThreshold } from "../../src/stats/threshold.ts";
import { tost } from "../../src/stats/tost.ts";
import { twoProportionsInterval, twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { bestRepeats, varianceComponents } from "../../src/stats/variance-components.ts";
import { satterthwaite } from "../../src/stats/satterthwaite.ts";
import { welch } from "../../src/stats/welch.ts";

/** The examples of the docstrings for counts, means, series, drift and judges: file, text, what it gives. */
const examples: readonly [file: string, text: string, value: number | boolean, printed: string][] = [
  [
    "effect.ts",
    "inferEffect({ estimate: 1, variance: 0.25, df: 10 }).p",
    inferEffect({ estimate: 1, variance: 0.25, df: 10 }).p,
    "0.073388",
  ],
  ["find-root.ts", "findRoot((x) => x * x - 2, 0, 2)", findRoot((x) => x * x - 2, 0, 2), "1.41421"],
  [
    "fisher.ts",
    "fisherExact({ events: 8, trials: 10 }, { events: 1, trials: 6 }).p",
    fisherExact({ events: 8, trials: 10 }, { events: 1, trials: 6 }).p,
    "0.034965",
  ],
  [
    "proportion-interval.ts",
    "proportionInterval({ events: 10, trials: 100 }).upper",
    proportionInterval({ events: 10, trials: 100 }).upper,
    "0.174366",
  ],
  ["proportion-interval.ts", "zeroEventBound(100)", zeroEventBound(100), "0.029513"],
  [
    "mcnemar.ts",
    "mcNemar({ candidateOnly: 2, baselineOnly: 12 }).p",
    mcNemar({ candidateOnly: 2, baselineOnly: 12 }).p,
    "0.0129395",
  ],
  [
    "newcombe.ts",
    "newcombeInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower",
    newcombeInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower,
    "0.0524315",
  ],
  [
    "newcombe.ts",
    "newcombePairedInterval({ both: 36, candidateOnly: 12, baselineOnly: 2, neither: 0 }).lower",
    newcombePairedInterval({ both: 36, candidateOnly: 12, baselineOnly: 2, neither: 0 }).lower,
    "0.0569296",
  ],
  [
    "two-proportions.ts",
    'twoProportionsTest({ events: 15, trials: 1000 }, { events: 10, trials: 1000 }, { nullDifference: 0.02, alternative: "less" }).p',
    twoProportionsTest(
      { events: 15, trials: 1000 },
      { events: 10, trials: 1000 },
      { nullDifference: 0.02, alternative: "less" },
    ).p,
    "0.0045258",
  ],
  [
    "two-proportions.ts",
    "twoProportionsInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower",
    twoProportionsInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower,
    "0.0528297",
  ],
  [
    "proportion-ratio.ts",
    "proportionRatioTest({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { nullRatio: 2 }).p",
    proportionRatioTest({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { nullRatio: 2 }).p,
    "9.78902e-5",
  ],
  [
    "proportion-ratio.ts",
    'proportionRatioInterval({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { variance: "farrington-manning" }).lower',
    proportionRatioInterval({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { variance: "farrington-manning" })
      .lower,
    "2.93957",
  ],
  [
    "rate-interval.ts",
    "rateInterval({ events: 10, exposure: 1 }).upper",
    rateInterval({ events: 10, exposure: 1 }).upper,
    "18.3904",
  ],
  [
    "rate-ratio.ts",
    'rateRatioTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }, { alternative: "greater" }).p',
    rateRatioTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }, { alternative: "greater" }).p,
    "0.00968296",
  ],
  [
    "rate-ratio.ts",
    "rateRatioInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower",
    rateRatioInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower,
    "1.22407",
  ],
  [
    "rate-difference.ts",
    "rateDifferenceTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).p",
    rateDifferenceTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).p,
    "0.0095508",
  ],
  [
    "rate-difference.ts",
    "rateDifferenceInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower",
    rateDifferenceInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower,
    "0.00285959",
  ],
  [
    "boschloo.ts",
    'boschloo({ events: 7, trials: 15 }, { events: 12, trials: 15 }, { alternative: "less" }).p',
    boschloo({ events: 7, trials: 15 }, { events: 12, trials: 15 }, { alternative: "less" }).p,
    "0.0341092",
  ],
  [
    "exact-unconditional.ts",
    'exactUnconditional({ events: 0, trials: 100 }, { events: 1, trials: 100 }, { difference: 0.05 }, "less").p',
    exactUnconditional({ events: 0, trials: 100 }, { events: 1, trials: 100 }, { difference: 0.05 }, "less").p,
    "0.0066206",
  ],
  [
    "dispersion.ts",
    "dispersion([3, 1, 4, 1, 5, 9, 2, 6], [1, 1, 1, 1, 1, 1, 1, 1]).dispersion",
    dispersion([3, 1, 4, 1, 5, 9, 2, 6], [1, 1, 1, 1, 1, 1, 1, 1]).dispersion,
    "1.94931",
  ],
  [
    "threshold.ts",
    "quantileThreshold(Array.from({ length: 59 }, () => 1), 4, { quantile: 0.95 }).holds",
    quantileThreshold(
      Array.from({ length: 59 }, () => 1),
      4,
      { quantile: 0.95 },
    ).holds,
    "true",
  ],
  [
    "threshold.ts",
    "proportionThreshold({ events: 9, trials: 60 }, 0.05).breached",
    proportionThreshold({ events: 9, trials: 60 }, 0.05).breached,
    "true",
  ],
  [
    "threshold.ts",
    "rateThreshold({ events: 0, exposure: 300 }, 0.01).holds",
    rateThreshold({ events: 0, exposure: 300 }, 0.01).holds,
    "true",
  ],
  [
    "threshold.ts",
    'meanThreshold([4, 5, 4, 5, 4, 5], 3, { limitIs: "min" }).holds',
    meanThreshold([4, 5, 4, 5, 4, 5], 3, { limitIs: "min" }).holds,
    "true",
  ],
  ["moments.ts", "moments([1, 2, 3, 4]).variance", moments([1, 2, 3, 4]).variance, "1.66667"],
  [
    "welch.ts",
    "welch([19, 22, 16, 29, 24], [20, 11, 17, 12]).p",
    welch([19, 22, 16, 29, 24], [20, 11, 17, 12]).p,
    "0.0567509",
  ],
  ["satterthwaite.ts", "satterthwaite([2, 2], [7, 7])", satterthwaite([2, 2], [7, 7]), "14"],
  [
    "log-ratio-of-means.ts",
    "logRatioOfMeans([2, 4, 0, 6], [1, 2, 3, 2]).ratio.estimate",
    logRatioOfMeans([2, 4, 0, 6], [1, 2, 3, 2]).ratio.estimate,
    "1.5",
  ],
  [
    "tost.ts",
    "tost({ estimate: 0.1, variance: 0.04, df: 30 }, { low: -0.5, high: 0.5 }).p",
    tost({ estimate: 0.1, variance: 0.04, df: 30 }, { low: -0.5, high: 0.5 }).p,
    "0.0273125",
  ],
  [
    "influence.ts",
    "differenceInfluence(meanInfluence([1, 3]), meanInfluence([2, 2])).estimate",
    differenceInfluence(meanInfluence([1, 3]), meanInfluence([2, 2])).estimate,
    "0",
  ],
  ["influence.ts", "meanInfluence([1, 2, 6]).psi[2]", meanInfluence([1, 2, 6]).psi[2], "1"],
  ["influence.ts", "logMeanInfluence([1, 1, 4]).estimate", logMeanInfluence([1, 1, 4]).estimate, "0.693147"],
  ["influence.ts", "ratioInfluence([1, 2], [10, 20]).estimate", ratioInfluence([1, 2], [10, 20]).estimate, "0.1"],
  [
    "influence.ts",
    "logRatioInfluence([1, 2], [10, 20]).estimate",
    logRatioInfluence([1, 2], [10, 20]).estimate,
    "-2.30259",
  ],
  [
    "influence.ts",
    "quantileInfluence([1, 2, 3, 4, 5], 0.5).estimate",
    quantileInfluence([1, 2, 3, 4, 5], 0.5).estimate,
    "3",
  ],
  [
    "quantile-difference.ts",
    "quantileDifference([1, 2, 3, 4, 5], [1, 1, 2, 3, 3], { quantile: 0.5 }).estimate",
    quantileDifference([1, 2, 3, 4, 5], [1, 1, 2, 3, 3], { quantile: 0.5 }).estimate,
    "1",
  ],
  [
    "quantile-difference.ts",
    "quantileInterval(Float64Array.of(1, 2, 3, 4, 5, 6), 0.5, 0.95).coverage",
    quantileInterval(Float64Array.of(1, 2, 3, 4, 5, 6), 0.5, 0.95).coverage,
    "0.96875",
  ],
  [
    "cluster-robust.ts",
    "clusterRobust(differenceInfluence(meanInfluence([1, 2, 5, 6]), meanInfluence([1, 1, 2, 2])), { candidate: [1, 1, 2, 2], baseline: [3, 3, 4, 4] }).designEffect",
    clusterRobust(differenceInfluence(meanInfluence([1, 2, 5, 6]), meanInfluence([1, 1, 2, 2])), {
      candidate: [1, 1, 2, 2],
      baseline: [3, 3, 4, 4],
    }).designEffect,
    "2.83333",
  ],
  [
    "stratified.ts",
    "weighedTogether([{ weight: 0.5, effect: { estimate: 1, variance: 4, df: 9 } }, { weight: 0.5, effect: { estimate: 3, variance: 4, df: 9 } }]).variance",
    weighedTogether([
      { weight: 0.5, effect: { estimate: 1, variance: 4, df: 9 } },
      { weight: 0.5, effect: { estimate: 3, variance: 4, df: 9 } },
    ]).variance,
    "2",
  ],
  [
    "cuped.ts",
    "cuped({ values: [3, 5, 7], covariates: [[1, 2, 3]] }, { values: [2, 4, 7], covariates: [[1, 2, 3]] }).reduction",
    cuped({ values: [3, 5, 7], covariates: [[1, 2, 3]] }, { values: [2, 4, 7], covariates: [[1, 2, 3]] }).reduction,
    "0.973118",
  ],
  [
    "cuped.ts",
    "controlVariates(differenceInfluence(meanInfluence([3, 5, 7]), meanInfluence([2, 4, 7])), [differenceInfluence(meanInfluence([1, 2, 3]), meanInfluence([1, 2, 3]))]).coefficients[0]",
    controlVariates(differenceInfluence(meanInfluence([3, 5, 7]), meanInfluence([2, 4, 7])), [
      differenceInfluence(meanInfluence([1, 2, 3]), meanInfluence([1, 2, 3])),
    ]).coefficients[0],
    "2.25",
  ],
  [
    "solve-symmetric.ts",
    "solveSymmetric([Float64Array.of(2, 1), Float64Array.of(1, 2)], Float64Array.of(3, 3))[0]",
    solveSymmetric([Float64Array.of(2, 1), Float64Array.of(1, 2)], Float64Array.of(3, 3))[0],
    "1",
  ],
  ["block-length.ts", "blockLength([1, 2, 1, 2, 1, 2, 1, 2, 1])", blockLength([1, 2, 1, 2, 1, 2, 1, 2, 1]), "3"],
  [
    "pair-by-step.ts",
    "pairByStep({ times: [0, 60], values: [5, 7] }, { times: [61, 130], values: [6, 8] }, { stepLength: 60 }).candidate[0]",
    pairByStep({ times: [0, 60], values: [5, 7] }, { times: [61, 130], values: [6, 8] }, { stepLength: 60 })
      .candidate[0],
    "7",
  ],
  [
    "effective-sample-size.ts",
    "effectiveSampleSize([1, 2, 3, 4, 3, 2, 1, 2, 3, 4]).autocorrelation",
    effectiveSampleSize([1, 2, 3, 4, 3, 2, 1, 2, 3, 4]).autocorrelation,
    "0.357143",
  ],
  [
    "long-run-variance.ts",
    "longRunVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).df",
    longRunVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).df,
    "1",
  ],
  [
    "long-run-variance.ts",
    "cosineVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance",
    cosineVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance,
    "3.61011",
  ],
  [
    "long-run-variance.ts",
    "autoregressiveVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance",
    autoregressiveVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance,
    "3.92101",
  ],
  [
    "chi-square-test.ts",
    "chiSquareIndependence([[10, 20], [20, 10]]).p",
    chiSquareIndependence([
      [10, 20],
      [20, 10],
    ]).p,
    "0.00982327",
  ],
  ["chi-square-test.ts", "chiSquareFit([4950, 5210], [1, 1]).p", chiSquareFit([4950, 5210], [1, 1]).p, "0.00989588"],
  [
    "sample-ratio.ts",
    "sampleRatioTest([821588, 815482], [1, 1]).p",
    sampleRatioTest([821588, 815482], [1, 1]).p,
    "1.82179e-6",
  ],
  ["sample-ratio.ts", "startSampleRatio(2).logE", startSampleRatio(2).logE, "0"],
  [
    "sample-ratio.ts",
    "updateSampleRatio(startSampleRatio(2), [60, 40], [1, 1]).logE",
    updateSampleRatio(startSampleRatio(2), [60, 40], [1, 1]).logE,
    "0.793682",
  ],
  [
    "sample-ratio.ts",
    "sampleRatioAlarm(updateSampleRatio(startSampleRatio(2), [300, 100], [1, 1]))",
    sampleRatioAlarm(updateSampleRatio(startSampleRatio(2), [300, 100], [1, 1])),
    "true",
  ],
  [
    "quantile-bins.ts",
    "quantileBins([1, 2, 3, 4], [3, 4, 5, 6], 2).candidate[0]",
    quantileBins([1, 2, 3, 4], [3, 4, 5, 6], 2).candidate[0],
    "3",
  ],
  [
    "population-stability.ts",
    "populationStability([50, 50], [50, 50]).psi",
    populationStability([50, 50], [50, 50]).psi,
    "0",
  ],
  ["mix-shift.ts", "mixShift([64, 36], [70, 30]).totalVariation", mixShift([64, 36], [70, 30]).totalVariation, "0.06"],
  [
    "mix-shift.ts",
    "numericMixShift([1, 2, 3, 4], [1, 2, 3, 4]).totalVariation",
    numericMixShift([1, 2, 3, 4], [1, 2, 3, 4]).totalVariation,
    "0",
  ],
  [
    "prediction-powered.ts",
    "predictionPoweredMean({ labels: [1, 0, 1, 1], judgedLabelled: [1, 0, 1, 0], judgedOnly: [1, 1, 0, 1, 1, 0] }).lambda",
    predictionPoweredMean({ labels: [1, 0, 1, 1], judgedLabelled: [1, 0, 1, 0], judgedOnly: [1, 1, 0, 1, 1, 0] })
      .lambda,
    "0.326087",
  ],
  [
    "rogan-gladen.ts",
    "roganGladen({ events: 30, trials: 100 }, { sensitivity: { events: 80, trials: 100 }, specificity: { events: 90, trials: 100 } }).estimate",
    roganGladen(
      { events: 30, trials: 100 },
      { sensitivity: { events: 80, trials: 100 }, specificity: { events: 90, trials: 100 } },
    ).estimate,
    "0.285714",
  ],
  [
    "rogan-gladen.ts",
    "roganGladenDifference({ events: 320, trials: 1000 }, { events: 290, trials: 1000 }, { sensitivity: { events: 8, trials: 10 }, specificity: { events: 8, trials: 10 } }).estimate",
    roganGladenDifference(
      { events: 320, trials: 1000 },
      { events: 290, trials: 1000 },
      { sensitivity: { events: 8, trials: 10 }, specificity: { events: 8, trials: 10 } },
    ).estimate,
    "0.05",
  ],
  [
    "cohen-kappa.ts",
    "cohenKappa([[20, 5], [10, 15]]).estimate",
    cohenKappa([
      [20, 5],
      [10, 15],
    ]).estimate,
    "0.4",
  ],
  [
    "cohen-kappa.ts",
    "agreementTable([0, 1, 1], [0, 1, 0], 2)[1][0]",
    agreementTable([0, 1, 1], [0, 1, 0], 2)[1][0],
    "1",
  ],
  [
    "krippendorff-alpha.ts",
    'krippendorffAlpha([[1, 1], [2, 2], [3, 3], [1, 2]], "nominal")',
    krippendorffAlpha(
      [
        [1, 1],
        [2, 2],
        [3, 3],
        [1, 2],
      ],
      "nominal",
    ),
    "0.666667",
  ],
  [
    "position-bias.ts",
    "positionBias([1, 1, 0, 1], [0, 1, 0, 0]).bias.estimate",
    positionBias([1, 1, 0, 1], [0, 1, 0, 0]).bias.estimate,
    "0.25",
  ],
  [
    "variance-components.ts",
    "varianceComponents([[4, 5], [2, 2], [3, 4], [1, 1]]).judge",
    varianceComponents([
      [4, 5],
      [2, 2],
      [3, 4],
      [1, 1],
    ]).judge,
    "0.25",
  ],
  [
    "variance-components.ts",
    "bestRepeats({ judge: 0.5, item: 1 }, { item: 8, score: 1 })",
    bestRepeats({ judge: 0.5, item: 1 }, { item: 8, score: 1 }),
    "2",
  ],
  [
    "paired-proportions.ts",
    'pairedProportionsTest({ both: 20, candidateOnly: 12, baselineOnly: 9, neither: 259 }, { difference: 0.05 }, "less").p',
    pairedProportionsTest({ both: 20, candidateOnly: 12, baselineOnly: 9, neither: 259 }, { difference: 0.05 }, "less")
      .p,
    "0.00951693",
  ],
  ["hall-transform.ts", "hallTransform(-2, 0.3)", hallTransform(-2, 0.3), "-1.57667"],
  ["hall-transform.ts", "hallInverse(hallTransform(-2, 0.3), 0.3)", hallInverse(hallTransform(-2, 0.3), 0.3), "-2"],
  [
    "ratio-of-means.ts",
    "ratioOfMeansTest([2, 4, 0, 6], [1, 2, 3, 2]).p",
    ratioOfMeansTest([2, 4, 0, 6], [1, 2, 3, 2]).p,
    "0.498598",
  ],
  [
    "ratio-of-means.ts",
    "ratioOfMeansInterval([2, 4, 0, 6], [1, 2, 3, 2]).upper",
    ratioOfMeansInterval([2, 4, 0, 6], [1, 2, 3, 2]).upper,
    "4.56762",
  ],
];

test.each(examples)("%s: %s", (file, text, value, printed) => {
  const source = readFileSync(new URL(`../../src/stats/${file}`, import.meta.url), "utf8");
  expect(source).toContain(`@example ${text} // ${printed}`);
  // Six digits are printed.
  const expected = printed === "true" ? 1 : Number(printed);
  expect(Math.abs(Number(value) - expected)).toBeLessThanOrEqual(6e-6 * Math.abs(expected));
});
