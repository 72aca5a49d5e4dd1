import { requireNumbers, requireSameLength } from "./check-input.ts";
import { inferEffect, type Effect, type Inference, type InferenceOptions } from "./effect.ts";
import { moments } from "./moments.ts";
import { satterthwaite } from "./satterthwaite.ts";

/** One arm's items: those that a person labelled and the judge scored, and those that only the judge scored. */
export interface JudgedArm {
  /** Labels, and the judge's scores of the same items in the same order. */
  readonly labels: ArrayLike<number>;
  readonly judgedLabelled: ArrayLike<number>;
  /** The judge's scores of the other items; none of the labelled ones. */
  readonly judgedOnly: ArrayLike<number>;
}

export interface PredictionPoweredMean extends Effect {
  /** How far the judge is trusted, in [0, 1]: 0 is the mean of the labels alone. */
  readonly lambda: number;
  /** Mean label less mean judge's score of the labelled items. */
  readonly bias: Effect;
  /** Influence of each item on the estimate, for cluster-robust.ts. */
  readonly influence: { readonly labelled: Float64Array; readonly judgedOnly: Float64Array };
}

export interface PredictionPoweredOptions {
  /** Default "tuned": the value with the least variance. 1 is plain prediction-powered inference. */
  readonly lambda?: number | "tuned";
}

/** Standard errors by which the judge's bias may differ between arms before only labels and their correction count. */
const DIFFERENTIAL_Z = 2;

/**
 * What would people have said on average, when an LLM judged all items and people only a few? Prediction-powered
 * inference.
 *
 * @param arm  labels n >= 3 and as many judge's scores, N >= 1 further judge's scores; all finite, in the same
 *             measurement unit.
 * @returns estimate = lambda mean(judged only) + mean(label - lambda judged); its variance and df (Satterthwaite);
 *          lambda; bias; influence values.
 * @throws RangeError when lengths differ, there are fewer than 3 labels or no further item, or a number is not finite.
 *
 * Unbiased whatever the judge is worth, as long as the labelled items are a random sample of all. A useless judge
 * gets lambda near 0 and costs almost nothing. Below some 30 labels per arm the t interval is the only guard against
 * their small number.
 * Source: Angelopoulos, Bates, Fannjiang, Jordan & Zrnic (2023), Science 382, 669-674; PPI++: Angelopoulos, Duchi &
 * Zrnic (2023), arXiv:2311.01453.
 * @example predictionPoweredMean({ labels: [1, 0, 1, 1], judgedLabelled: [1, 0, 1, 0], judgedOnly: [1, 1, 0, 1, 1, 0] }).lambda // 0.326087
 */
export function predictionPoweredMean(arm: JudgedArm, options: PredictionPoweredOptions = {}): PredictionPoweredMean {
  const { labels, judgedLabelled, judgedOnly } = arm;
  requireNumbers("labels", labels, 3);
  requireNumbers("judgedLabelled", judgedLabelled, 3);
  requireSameLength("labels", labels, "judgedLabelled", judgedLabelled);
  requireNumbers("judgedOnly", judgedOnly);
  const { lambda: asked = "tuned" } = options;
  if (asked !== "tuned" && !(asked >= 0 && asked <= 1)) throw new RangeError(`lambda is ${asked}, not between 0 and 1`);
  const n = labels.length;
  const N = judgedOnly.length;
  const lambda = asked === "tuned" ? tunedLambda(arm) : asked;

  const corrections = Float64Array.from(labels, (label, i) => label - lambda * judgedLabelled[i]);
  const correction = moments(corrections);
  const judged = moments(judgedOnly);
  const estimate = lambda * judged.mean + correction.mean;
  // Lambda was fitted to the same labels, which costs one of them.
  const fitted = asked === "tuned" && lambda > 0 && lambda < 1 ? 1 : 0;
  const ofLabels = ((correction.variance / n) * (n - 1)) / (n - 1 - fitted);
  const ofJudged = lambda === 0 ? 0 : (lambda * lambda * judged.variance) / N;
  return {
    estimate,
    variance: ofLabels + ofJudged,
    df: satterthwaite([ofLabels, ofJudged], [n - 1 - fitted, Math.max(1, N - 1)]),
    lambda,
    bias: biasOf(arm),
    influence: {
      labelled: corrections.map((value) => (value - correction.mean) / n),
      judgedOnly: Float64Array.from(judgedOnly, (value) => (lambda * (value - judged.mean)) / N),
    },
  };
}

/**
 * The difference of two prediction-powered means, candidate - baseline, and whether the judge favours one arm.
 *
 * @param candidate  labels sampled at random from the candidate's items.
 * @param baseline   labels sampled at random from the baseline's items.
 * @returns the inference; both arms' means; `biasDifference`, how much more the judge underrates the candidate than
 *          the baseline, as an effect; `differential`: it is more than two standard errors from 0, and uncorrected
 *          judge's scores must not decide.
 * @throws RangeError as `predictionPoweredMean`.
 */
export function predictionPoweredDifference(
  candidate: JudgedArm,
  baseline: JudgedArm,
  options: PredictionPoweredOptions & InferenceOptions = {},
): Inference & {
  readonly candidate: PredictionPoweredMean;
  readonly baseline: PredictionPoweredMean;
  readonly biasDifference: Effect;
  readonly differential: boolean;
} {
  const c = predictionPoweredMean(candidate, options);
  const b = predictionPoweredMean(baseline, options);
  const biasDifference = difference(c.bias, b.bias);
  return {
    ...inferEffect(difference(c, b), options),
    candidate: c,
    baseline: b,
    biasDifference,
    differential: Math.abs(biasDifference.estimate) > DIFFERENTIAL_Z * Math.sqrt(biasDifference.variance),
  };
}

function difference(candidate: Effect, baseline: Effect): Effect {
  const variances = [candidate.variance, baseline.variance];
  return {
    estimate: candidate.estimate - baseline.estimate,
    variance: variances[0] + variances[1],
    df: satterthwaite(variances, [candidate.df, baseline.df]),
  };
}

function biasOf({ labels, judgedLabelled }: JudgedArm): Effect {
  const { n, mean, variance } = moments(Float64Array.from(labels, (label, i) => label - judgedLabelled[i]));
  return { estimate: mean, variance: variance / n, df: n - 1 };
}

/**
 * The lambda of the least estimated variance, cov(label, judged) / (var(judged labelled) + n/N var(judged only)),
 * within [0, 1]; 0 for a judge that always says the same.
 *
 * PPI++ takes the variance of all scores in both places. In the limit that is the same, but the covariance and the
 * variance of the few labelled items err together and cancel: with 30 labels of lognormal values the error of the
 * mean is half as large, and its interval covers 91 % instead of 86 %.
 */
function tunedLambda({ labels, judgedLabelled, judgedOnly }: JudgedArm): number {
  const n = labels.length;
  const N = judgedOnly.length;
  const label = moments(labels).mean;
  const judge = moments(judgedLabelled);
  let covariance = 0;
  for (let i = 0; i < n; i++) covariance += ((labels[i] - label) * (judgedLabelled[i] - judge.mean)) / (n - 1);
  const spread = judge.variance + (N > 1 ? (n / N) * moments(judgedOnly).variance : 0);
  return spread > 0 ? Math.min(1, Math.max(0, covariance / spread)) : 0;
}
