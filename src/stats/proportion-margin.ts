import type { Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { studentTQuantileUpper, studentTSf } from "./distributions/student-t.ts";
import { findRoot } from "./find-root.ts";

/** How much more often an event may happen: by an absolute difference, by a share of the baseline's probability, or by the looser of both. */
export interface ProportionMargin {
  /** 0.001 for a tenth of a percentage point; null for none. */
  readonly absolute: number | null;
  /** 0.5 for half as often again; null for none. */
  readonly relative: number | null;
}

export interface ProportionMarginTest {
  readonly p: number;
  /** Standard normal on the border (Student's t where the dispersion is estimated), positive when the candidate lies above it. */
  readonly statistic: number;
  readonly expected: { readonly candidate: number; readonly baseline: number };
}

export interface ProportionMarginOptions {
  /** How many times the variance is what independent trials would give, at least 1 (default). */
  readonly dispersion?: number;
  /** Degrees of freedom of that factor; Infinity (default) where it is known. */
  readonly df?: number;
  /** Default "score". "likelihood" is the signed root of the likelihood ratio; "mean" the mean of both roots. */
  readonly statistic?: "score" | "likelihood" | "mean";
}

/**
 * Score test against a margin that is the looser of an absolute and a relative one: does the candidate's probability lie beyond
 * baseline + multiple * max(absolute, relative * baseline)?
 *
 * @param candidate    events among trials >= 1.
 * @param baseline     the same for the baseline, independent of the candidate.
 * @param margin       at least one part, each positive.
 * @param multiple     of the margin: 0 asks about any difference, 1 about the margin itself, -1 about an improvement by as much. A border below 0 or above 1 is cut there.
 * @param alternative  "greater": p is small when the candidate is proven above the border; "less": below.
 * @returns `p` in [0, 1]; `statistic` = signed root of Pearson's chi-square (or of the likelihood ratio) at the most likely pair of probabilities on the border,
 *          and `expected`, the events that this pair lets each arm expect. Without variation p = 1.
 * @throws RangeError when counts are not whole or events exceed trials, or the margin has no positive part.
 *
 * With one part only and dispersion 1 this is the test of Miettinen and Nurminen (for a ratio: Koopman's) without their factor N/(N - 1). A large-sample test:
 * use exactUnconditional where an arm expects fewer than five events. Where both parts are equal, the border has a corner: "less" then is true where either
 * border is undercut, and its error is up to 6 % at a nominal 5 % in that one point (docs/statistics/counts.md).
 * With rare events the score root is too small and the likelihood root too large in the tail; their mean keeps the level best. Exact sizes by enumeration, score /
 * likelihood / mean, at nominal 1 % and "less": 300 + 300 trials at 3 % against 1 % 0.65 / 1.33 / 0.82; 125 + 400 at 4 % against 2 % 0.30 / 1.21 / 0.78; 300 + 1900 at 3 %
 * against 1 % 0.38 / 1.23 / 0.76 (at nominal 0.1 %: 0.004 / 0.14 / 0.05). Where the arm that the border puts higher expects fewer than five events all three fail; use
 * exactUnconditional there.
 * Source: Miettinen & Nurminen (1985), Stat. Med. 4, 213-226; Koopman (1984), Biometrics 40, 513-517 (the chi-square form).
 * @example proportionMarginTest({ events: 15, trials: 1000 }, { events: 10, trials: 1000 }, { absolute: 0.02, relative: null }, 1, "less").p // 0.0045...
 */
export function proportionMarginTest(
  candidate: Proportion,
  baseline: Proportion,
  margin: ProportionMargin,
  multiple: number,
  alternative: Exclude<Alternative, "two-sided">,
  { dispersion = 1, df = Infinity, statistic: kind = "score" }: ProportionMarginOptions = {},
): ProportionMarginTest {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  requireMargin(margin);
  const onBorder = rootOnBorder(candidate, baseline, margin, multiple, kind);
  const { expected } = onBorder;
  const statistic = onBorder.root / Math.sqrt(Math.max(1, dispersion));
  if (Number.isNaN(statistic)) return { p: 1, statistic: 0, expected };
  return { p: studentTSf(alternative === "greater" ? statistic : -statistic, df), statistic, expected };
}

/**
 * How many margins is the candidate above the baseline? The inversion of `proportionMarginTest`.
 *
 * @param alphas  one-sided errors of both limits, each in (0, 1).
 * @returns limits as multiples of the margin; -Infinity or Infinity where no multiple is rejected.
 * @example proportionMarginInterval({ events: 15, trials: 1000 }, { events: 10, trials: 1000 }, { absolute: 0.02, relative: null }, { lower: 0.05, upper: 0.05 }).upper // 0.6898...
 */
export function proportionMarginInterval(
  candidate: Proportion,
  baseline: Proportion,
  margin: ProportionMargin,
  alphas: { readonly lower: number; readonly upper: number },
  { dispersion = 1, df = Infinity, statistic = "score" }: ProportionMarginOptions = {},
): { readonly lower: number; readonly upper: number } {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  requireMargin(margin);
  const scale = Math.sqrt(Math.max(1, dispersion));
  const statisticAt = (multiple: number) => rootOnBorder(candidate, baseline, margin, multiple, statistic).root / scale;
  return {
    lower: crossing(statisticAt, studentTQuantileUpper(alphas.lower, df)),
    upper: crossing(statisticAt, -studentTQuantileUpper(alphas.upper, df)),
  };
}

/** The margin at a probability of the baseline, as a difference. */
export function marginAt({ absolute, relative }: ProportionMargin, baseline: number): number {
  return Math.max(absolute ?? 0, (relative ?? 0) * baseline);
}

/** Multiples beyond this are none. */
const FARTHEST = 1e12;

/** The multiple at which the statistic, which falls as the border rises, reaches its critical value; infinite where it never does. */
function crossing(statisticAt: (multiple: number) => number, critical: number): number {
  const excess = (multiple: number) => {
    const statistic = statisticAt(multiple);
    return (Number.isNaN(statistic) ? 0 : statistic) - critical;
  };
  const start = excess(0);
  if (start === 0) return 0;
  const side = start > 0 ? 1 : -1;
  let near = 0;
  for (let far: number = side; Math.abs(far) < FARTHEST; far *= 2) {
    if (excess(far) > 0 !== start > 0) return findRoot(excess, Math.min(near, far), Math.max(near, far));
    near = far;
  }
  return side * Infinity;
}

/** The root is NaN when nothing varies: both arms lie on the border with certainty. */
function rootOnBorder(
  candidate: Proportion,
  baseline: Proportion,
  margin: ProportionMargin,
  multiple: number,
  kind: "score" | "likelihood" | "mean",
): { root: number; expected: ProportionMarginTest["expected"] } {
  const border = (p: number) => Math.min(1, Math.max(0, p + multiple * marginAt(margin, p)));
  let best = { likelihood: -Infinity, p: 0 };
  for (const [from, to] of pieces(margin, multiple)) {
    const slope = (border(to) - border(from)) / (to - from);
    const p = mostLikely(candidate, baseline, from, to, border(from), slope);
    const likelihood = logLikelihood(baseline, p) + logLikelihood(candidate, border(p));
    if (likelihood > best.likelihood) best = { likelihood, p };
  }
  const expected = border(best.p);
  const [own, other] = [candidate.events / candidate.trials, baseline.events / baseline.trials];
  const score = Math.sqrt(pearson(baseline, best.p) + pearson(candidate, expected));
  const gain = logLikelihood(candidate, own) + logLikelihood(baseline, other) - best.likelihood;
  const ratio = Math.sqrt(2 * Math.max(0, gain));
  const root = kind === "score" ? score : kind === "likelihood" ? ratio : (score + ratio) / 2;
  const sign = Math.sign(own - border(other));
  return {
    root: root === 0 && (expected === 0 || expected === 1) ? Number.NaN : sign * root,
    expected: { candidate: candidate.trials * expected, baseline: baseline.trials * best.p },
  };
}

/** Stretches of the baseline's probability over which the border is a straight line. */
function pieces({ absolute, relative }: ProportionMargin, multiple: number): [number, number][] {
  const cuts = new Set([0, 1]);
  const add = (p: number) => {
    if (p > 0 && p < 1) cuts.add(p);
  };
  if (absolute !== null && relative !== null) add(absolute / relative);
  // Where the border is cut at 0 or 1.
  for (const [intercept, slope] of [
    [multiple * (absolute ?? 0), 1],
    [0, 1 + multiple * (relative ?? 0)],
  ] as const) {
    add(-intercept / slope);
    add((1 - intercept) / slope);
  }
  const ends = [...cuts].sort((a, b) => a - b);
  return ends.slice(1).map((to, index): [number, number] => [ends[index] ?? 0, to]);
}

/** The likelihood is concave over a straight piece, so the sign of its slope leads to the top. */
function mostLikely(
  candidate: Proportion,
  baseline: Proportion,
  from: number,
  to: number,
  start: number,
  slope: number,
): number {
  const gradient = (p: number) => {
    const q = start + slope * (p - from);
    return gradientOf(baseline, p) + slope * gradientOf(candidate, q);
  };
  let low = from;
  let high = to;
  for (let step = 0; step < 200; step++) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    if (gradient(middle) > 0) low = middle;
    else high = middle;
  }
  // The top may be at an end, where the gradient has a pole.
  const value = (p: number) => logLikelihood(baseline, p) + logLikelihood(candidate, start + slope * (p - from));
  return [from, to, low, high].reduce((best, p) => (value(p) > value(best) ? p : best), low);
}

function gradientOf({ events, trials }: Proportion, p: number): number {
  const up = events === 0 ? 0 : events / p;
  const down = events === trials ? 0 : (trials - events) / (1 - p);
  return up - down;
}

function logLikelihood({ events, trials }: Proportion, p: number): number {
  const yes = events === 0 ? 0 : events * Math.log(p);
  const no = events === trials ? 0 : (trials - events) * Math.log1p(-p);
  return yes + no;
}

function pearson({ events, trials }: Proportion, p: number): number {
  const distance = events - trials * p;
  return distance === 0 ? 0 : (distance * distance) / (trials * p * (1 - p));
}

function requireMargin({ absolute, relative }: ProportionMargin): void {
  const isPart = (part: number | null) => part !== null && part > 0;
  if (!isPart(absolute) && !isPart(relative)) throw new RangeError("the margin has no positive part");
  for (const [name, part] of [
    ["absolute", absolute],
    ["relative", relative],
  ] as const) {
    if (part !== null && !(part > 0 && Number.isFinite(part)))
      throw new RangeError(`margin.${name} is ${part}, not a positive number`);
  }
}
