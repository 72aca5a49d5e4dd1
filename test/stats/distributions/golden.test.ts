import { describe, expect, test } from "vitest";
import * as beta from "../../../src/stats/distributions/beta.ts";
import * as binomial from "../../../src/stats/distributions/binomial.ts";
import * as chiSquare from "../../../src/stats/distributions/chi-square.ts";
import * as gamma from "../../../src/stats/distributions/gamma.ts";
import * as hypergeometric from "../../../src/stats/distributions/hypergeometric.ts";
import * as kolmogorov from "../../../src/stats/distributions/kolmogorov.ts";
import * as logGamma from "../../../src/stats/distributions/log-gamma.ts";
import * as normal from "../../../src/stats/distributions/normal.ts";
import * as poisson from "../../../src/stats/distributions/poisson.ts";
import * as studentT from "../../../src/stats/distributions/student-t.ts";
import { goldenCases, misses } from "../golden.ts";

type Numbers = Readonly<Record<string, number>>;

/** What each golden function computes from its input; the fields that a case does not expect are not compared. */
const laws: Readonly<Record<string, (input: Numbers) => Numbers>> = {
  normal: ({ z }) => ({
    pdf: normal.normalPdf(z),
    cdf: normal.normalCdf(z),
    sf: normal.normalSf(z),
    logCdf: normal.logNormalCdf(z),
    logSf: normal.logNormalSf(z),
  }),
  normalQuantile: ({ q }) => ({ z: normal.normalQuantileUpper(q) }),
  normalQuantileLogUpper: ({ logQ }) => ({ z: normal.normalQuantileLogUpper(logQ) }),
  logGamma: ({ x }) => ({ value: logGamma.logGamma(x) }),
  stirlingError: ({ x }) => ({ value: logGamma.stirlingError(x) }),
  logBeta: ({ a, b }) => ({ value: logGamma.logBeta(a, b) }),
  logBinomialCoefficient: ({ n, k }) => ({ value: logGamma.logBinomialCoefficient(n, k) }),
  gamma: ({ x, shape }) => ({
    cdf: gamma.gammaCdf(x, shape),
    sf: gamma.gammaSf(x, shape),
    logCdf: gamma.gammaLogCdf(x, shape),
    logSf: gamma.gammaLogSf(x, shape),
  }),
  gammaQuantile: ({ p, shape, upper }) => ({
    x: upper ? gamma.gammaQuantileUpper(p, shape) : gamma.gammaQuantile(p, shape),
  }),
  chiSquare: ({ x, df }) => ({
    cdf: chiSquare.chiSquareCdf(x, df),
    sf: chiSquare.chiSquareSf(x, df),
    logCdf: gamma.gammaLogCdf(x, df / 2, 0.5),
    logSf: chiSquare.chiSquareLogSf(x, df),
  }),
  poisson: ({ k, mean }) => ({
    cdf: poisson.poissonCdf(k, mean),
    sf: poisson.poissonSf(k, mean),
    logCdf: poisson.logPoissonCdf(k, mean),
    logSf: poisson.logPoissonSf(k, mean),
    logPmf: poisson.logPoissonPmf(k, mean),
  }),
  beta: ({ x, a, b }) => ({
    cdf: beta.betaCdf(x, a, b),
    sf: beta.betaSf(x, a, b),
    logCdf: beta.logBetaCdf(x, a, b),
    logSf: beta.logBetaSf(x, a, b),
  }),
  betaQuantile: ({ p, a, b, upper }) => ({
    x: upper ? beta.betaQuantileUpper(p, a, b) : beta.betaQuantile(p, a, b),
  }),
  studentT: ({ t, df }) => ({
    cdf: studentT.studentTCdf(t, df),
    sf: studentT.studentTSf(t, df),
    logCdf: studentT.logStudentTSf(-t, df),
    logSf: studentT.logStudentTSf(t, df),
  }),
  studentTQuantile: ({ q, df }) => ({ t: studentT.studentTQuantileUpper(q, df) }),
  binomial: ({ k, n, p }) => ({
    cdf: binomial.binomialCdf(k, n, p),
    sf: binomial.binomialSf(k, n, p),
    logCdf: binomial.logBinomialCdf(k, n, p),
    logSf: binomial.logBinomialSf(k, n, p),
    logPmf: binomial.logBinomialPmf(k, n, p),
  }),
  hypergeometric: ({ k, population, successes, draws }) => ({
    cdf: hypergeometric.hypergeometricCdf(k, population, successes, draws),
    sf: hypergeometric.hypergeometricSf(k, population, successes, draws),
    logCdf: hypergeometric.logHypergeometricCdf(k, population, successes, draws),
    logSf: hypergeometric.logHypergeometricSf(k, population, successes, draws),
    logPmf: hypergeometric.logHypergeometricPmf(k, population, successes, draws),
  }),
  kolmogorov: ({ x }) => ({ cdf: kolmogorov.kolmogorovCdf(x), sf: kolmogorov.kolmogorovSf(x) }),
  kolmogorovQuantile: ({ q }) => ({ x: kolmogorov.kolmogorovQuantileUpper(q) }),
};

describe.each(Object.entries(laws))("%s", (name, law) => {
  test.each(goldenCases("distributions", name))("agrees with 50-digit arithmetic: %s", (_, golden) => {
    // JSON has no infinity: it stands as a string.
    const input = Object.fromEntries(Object.entries(golden.input).map(([key, value]) => [key, Number(value)]));
    expect(misses(law(input), golden)).toEqual([]);
  });
});
