/**
 * Exact monitoring of two means of values in [0, 1], errors or judge scores, block by block: at every look, at any ratio of the
 * arms and under any ramp.
 *
 * A block holds values of both arms that came together. Given a point (q_c, q_b) on the border of the null, q_c = slope q_b + shift, the
 * block's e-value is the product over the candidate's values of 1 + l_c (x - q_c) and over the baseline's of 1 + l_b (x - q_b), where n_b l_b
 * = -slope n_c l_c. As 1 + y <= e^y its expectation is at most exp(n_c l_c (m_c - slope m_b - shift)) for the block's true
 * means m_c, m_b: at most 1 on the null's side, whatever the law of the values. So the product over blocks is a supermartingale as long
 * as point and bets are chosen before the block is seen, and P(ever E >= 1 / alpha) <= alpha with no asymptotics.
 * For yes-or-no values each factor is a likelihood ratio: this is the e-value of Turner, Ly & Gruenwald.
 *
 * The bets look for several sizes of effect at once, and the e-value is the mean over them; point and variances are what the earlier
 * blocks say.
 *
 * Source: Turner, Ly & Gruenwald (2024), J. Stat. Plan. Inference 230, 106116 (two groups in blocks, convex nulls); Waudby-Smith & Ramdas
 * (2024), J. R. Stat. Soc. B 86, 1-27 (bets on bounded values).
 */
import { requireCount, requireSameLength } from "./check-input.ts";
import { requireUnitInterval } from "./e-value-bounded.ts";

/** Values of one arm in one block: each distinct value, and how often it came. */
export interface BlockArm {
  readonly values: ArrayLike<number>;
  readonly times: ArrayLike<number>;
}

export interface Block {
  readonly candidate: BlockArm;
  readonly baseline: BlockArm;
}

/** What earlier blocks say of one arm: plain numbers, fit for JSON. */
export interface ArmSoFar {
  readonly count: number;
  readonly mean: number;
  /** Sum of squared distances from the mean. */
  readonly squares: number;
}

export interface ArmsSoFar {
  readonly candidate: ArmSoFar;
  readonly baseline: ArmSoFar;
}

/** A line in the plane of both means: candidate = slope * baseline + shift. */
export interface Border {
  /** Positive. */
  readonly slope: number;
  readonly shift: number;
}

export interface TwoArmsOptions {
  /** "greater": the null is that the candidate's mean lies at or below every border; "less": at or above every border. At least one. */
  readonly borders: readonly Border[];
  readonly alternative: "greater" | "less";
  /** The distance from the border that is to be found, at a mean of the baseline; the bets look for multiples of it. Positive. */
  readonly sought: (baseline: number) => number;
  /** The values are 0 and 1, so that their variance follows from their mean. */
  readonly yesOrNo: boolean;
}

/** Multiples of the distance sought, equally weighted: what is to be found may be as large as the margin, or many times that. */
const MULTIPLES = [0.7, 1, 1.4, 2, 4, 8];

/** Of the most that a value can take from a bet. */
const CAP = 0.9;
/** Means are taken to lie this far inside [0, 1]. */
const INSIDE = 1e-9;
/** Before this many values of each arm nothing is known to bet on. */
const LEAST_KNOWN = 8;

/** Before the first block. */
export const NOTHING_KNOWN: ArmsSoFar = {
  candidate: { count: 0, mean: 0, squares: 0 },
  baseline: { count: 0, mean: 0, squares: 0 },
};

/** The log wealth of every bet before the first block. */
export const NO_BETS: readonly number[] = MULTIPLES.map(() => 0);

/**
 * Takes a block into what is known of both arms.
 *
 * @throws RangeError when a value is outside [0, 1], a number of times is not whole, or lengths differ.
 */
export function addBlock(known: ArmsSoFar, block: Block): ArmsSoFar {
  return {
    candidate: addArm("candidate", known.candidate, block.candidate),
    baseline: addArm("baseline", known.baseline, block.baseline),
  };
}

/**
 * Bets on one more block.
 *
 * @param logs   log wealth of each bet so far: `NO_BETS`, or what the last call returned with the same options.
 * @param known  of the blocks before this one, and of no other.
 * @returns log wealth of each bet; `averageLogE` of them is the log of the e-value, which rejects at level alpha when it reaches log(1 / alpha) at any
 *          look. A block without values of both arms says nothing.
 * @throws RangeError as `addBlock`.
 *
 * Blocks must be cut by time or by numbers of values, not by the values. Within a block values must be independent given the blocks before, not alike; clustered
 * ones must be averaged per unit first. What shifts both arms of a block together does no harm; what shifts one arm's values of a block together, a
 * burst, is not allowed for.
 * @example betOnBlock(NO_BETS, known, { candidate: { values: [0, 1], times: [15, 5] }, baseline: { values: [0, 1], times: [19, 1] } }, { borders: [{ slope: 1, shift: 0 }], alternative: "greater", sought: () => 0.1, yesOrNo: true })[3] // 1.6146 after a block of 2 in 20 and 2 in 20
 */
export function betOnBlock(
  logs: readonly number[],
  known: ArmsSoFar,
  block: Block,
  { borders, alternative, sought, yesOrNo }: TwoArmsOptions,
): readonly number[] {
  const side = alternative === "greater" ? 1 : -1;
  const { candidate, baseline } = block;
  const [n, m] = [totalOf("candidate", candidate), totalOf("baseline", baseline)];
  if (n === 0 || m === 0 || Math.min(known.candidate.count, known.baseline.count) < LEAST_KNOWN) return logs;
  const { slope, shift } = bindingBorder(borders, side, estimateOf(known, known.baseline));
  const on = pointOnBorder(known, slope, shift, yesOrNo);
  // Variances of both parts of the block's own estimate, and of candidate - slope * baseline.
  const own = on.candidateVariance / n;
  const other = (slope * slope * on.baselineVariance) / m;
  const weight = other / (own + other);
  const distance = sought(on.baseline);
  const logOdds = yesOrNo ? Math.abs(logit(on.candidate + side * distance) - logit(on.candidate)) : 0;
  return logs.map((log, j) => {
    const effect = yesOrNo
      ? tilt(on.candidate, side * weight * MULTIPLES[j] * logOdds) -
        slope * tilt(on.baseline, -side * (1 - weight) * MULTIPLES[j] * logOdds) -
        shift
      : side * MULTIPLES[j] * distance;
    const bet = effect / (own + other);
    const stakes = { candidate: bet / n, baseline: (-slope * bet) / m };
    const most = Math.max(atRisk(stakes.candidate, on.candidate), atRisk(stakes.baseline, on.baseline));
    const scale = Math.min(1, CAP / most);
    return (
      log +
      gainOf(candidate, scale * stakes.candidate, on.candidate) +
      gainOf(baseline, scale * stakes.baseline, on.baseline)
    );
  });
}

/** The null lies beyond every border, so any of them may be bet against: the one that keeps it farthest away, at the baseline's mean so far. */
function bindingBorder(borders: readonly Border[], side: 1 | -1, baseline: number): Border {
  const at = ({ slope, shift }: Border) => side * (slope * baseline + shift);
  const [first, ...rest] = borders;
  if (first === undefined) throw new RangeError("borders is empty");
  return rest.reduce((nearest, border) => (at(border) < at(nearest) ? border : nearest), first);
}

/** The point of the border that the earlier blocks make most likely, with the variances there. */
function pointOnBorder(known: ArmsSoFar, slope: number, shift: number, yesOrNo: boolean) {
  const [c, b] = [estimateOf(known, known.candidate), estimateOf(known, known.baseline)];
  const pooled = pooledOf(known);
  const varianceOf = ({ count, squares }: ArmSoFar) =>
    yesOrNo ? pooled * (1 - pooled) : (PRIOR_VARIANCE + squares) / (count + 1);
  const [vc, vb] = [varianceOf(known.candidate), varianceOf(known.baseline)];
  const [own, other] = [vc / known.candidate.count, (slope * slope * vb) / known.baseline.count];
  const away = c - slope * b - shift;
  const moved = b + (away * other) / (own + other) / slope;
  const lowest = Math.max(INSIDE, (INSIDE - shift) / slope);
  const highest = Math.min(1 - INSIDE, (1 - INSIDE - shift) / slope);
  const baseline = Math.max(lowest, Math.min(highest, moved));
  const candidate = slope * baseline + shift;
  if (!yesOrNo) return { candidate, baseline, candidateVariance: vc, baselineVariance: vb };
  return {
    candidate,
    baseline,
    candidateVariance: candidate * (1 - candidate),
    baselineVariance: baseline * (1 - baseline),
  };
}

/** As if one value of any size had been seen: the widest law on [0, 1] has a variance of 1/4. */
const PRIOR_VARIANCE = 0.25;

function pooledOf({ candidate, baseline }: ArmsSoFar): number {
  return (
    (candidate.count * candidate.mean + baseline.count * baseline.mean + 0.5) / (candidate.count + baseline.count + 1)
  );
}

/** An arm's mean, drawn to the common one as if by one value. */
function estimateOf(known: ArmsSoFar, { count, mean }: ArmSoFar): number {
  return (count * mean + pooledOf(known)) / (count + 1);
}

/** The part of the wealth that the worst value takes. */
function atRisk(stake: number, mean: number): number {
  return stake > 0 ? stake * mean : -stake * (1 - mean);
}

function gainOf({ values, times }: BlockArm, stake: number, mean: number): number {
  let gain = 0;
  for (let i = 0; i < values.length; i++) gain += times[i] * Math.log1p(stake * (values[i] - mean));
  return gain;
}

const logit = (p: number): number => {
  const inside = Math.max(INSIDE, Math.min(1 - INSIDE, p));
  return Math.log(inside / (1 - inside));
};

/** The probability whose log odds lie this far away. */
function tilt(p: number, logOdds: number): number {
  return 1 / (1 + Math.exp(-logit(p) - logOdds));
}

function totalOf(name: string, { values, times }: BlockArm): number {
  requireSameLength(`${name}.values`, values, `${name}.times`, times);
  requireUnitInterval(values);
  let total = 0;
  for (let i = 0; i < times.length; i++) {
    requireCount(`${name}.times[${i}]`, times[i]);
    total += times[i];
  }
  return total;
}

/** Means and squared distances of both together (Chan, Golub & LeVeque). */
function addArm(name: string, known: ArmSoFar, arm: BlockArm): ArmSoFar {
  const added = totalOf(name, arm);
  if (added === 0) return known;
  const { values, times } = arm;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += times[i] * values[i];
  const mean = sum / added;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += times[i] * (values[i] - mean) ** 2;
  const count = known.count + added;
  const apart = mean - known.mean;
  return {
    count,
    mean: known.mean + (apart * added) / count,
    squares: known.squares + squares + (apart * apart * known.count * added) / count,
  };
}
