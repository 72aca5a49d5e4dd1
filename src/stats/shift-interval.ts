import { studentTQuantileUpper } from "./distributions/student-t.ts";
import { requireRatioScale } from "./hodges-lehmann.ts";
import { middleDouble, pairsBetween, thinned } from "./pair-order-statistics.ts";
import { rankSummary, type RankSummary } from "./rank-summary.ts";
import { placementVariance, superiorityTails } from "./superiority.ts";

export interface ShiftIntervalOptions {
  /**
   * The chance that the true shift lies below `lower`, and above `upper`. In (0, 1/2); 0 asks for no limit on that
   * side.
   */
  readonly alphaLower: number;
  readonly alphaUpper: number;
  readonly scale?: "difference" | "ratio";
  /**
   * Shifts (factors) besides "none" at which the interval must say what the superiority test says there, such as the
   * margin.
   */
  readonly agreeAt?: readonly number[];
}

export interface ShiftInterval {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Which shifts of the candidate does the superiority test allow? By how much, or by which factor, candidate values are
 * larger.
 *
 * @param candidate  n >= 1 values from `sortSample`, in the measurement unit of the answer. Not modified.
 * @param baseline   m >= 1 values from `sortSample`, same measurement unit.
 * @param options    one-sided error chances of both limits, scale, further shifts to agree at.
 * @returns the limits; -Infinity (0 for a ratio) or Infinity where no shift is rejected on that side.
 * @throws RangeError when a sample is empty, an alpha is not in [0, 1/2), a ratio is asked of negative values, or a shift to agree at is
 *         not finite (or not positive for a ratio).
 *
 * A shift s is inside when `superiority` of candidate - s (of candidate / s) over the baseline, with the placement
 * variance taken anew at s, is not rejected against 1/2 on either side. So "no shift is outside" and "the test rejects"
 * are one statement, and so at every `agreeAt`: these are tried first and the search never leaves the side they are on.
 * It is not assumed that the laws differ by a shift, nor that they spread equally. With zeros a factor leaves zeros
 * where they are; they tie with the other arm's. If all candidate values are 0 and none of the baseline's, the ratio is
 * 0; if all baseline values are 0 it is Infinity. In small samples the accepted shifts may have holes; then the limit
 * is one of their borders. A limit is exact to the last double, or to RESOLUTION standard errors in large samples.
 * About six passes over the data per limit.
 * Source: inversion of Brunner & Munzel (2000), Biometrical Journal 42, 17-25, as Hodges & Lehmann (1963) invert
 * Mann-Whitney.
 * @example shiftInterval(Float64Array.of(1, 2, 3, 4, 5, 6, 7), Float64Array.of(1, 2, 3, 4, 5, 6, 7), { alphaLower: 0.05, alphaUpper: 0.05 }).upper // 2
 */
export function shiftInterval(
  candidate: Float64Array,
  baseline: Float64Array,
  options: ShiftIntervalOptions,
): ShiftInterval {
  const { alphaLower, alphaUpper, scale = "difference", agreeAt = [] } = options;
  if (candidate.length === 0) throw new RangeError("candidate is empty");
  if (baseline.length === 0) throw new RangeError("baseline is empty");
  requireAlpha("alphaLower", alphaLower);
  requireAlpha("alphaUpper", alphaUpper);
  if (scale === "ratio") requireRatioScale(candidate, baseline);
  for (const shift of agreeAt) {
    if (!(Number.isFinite(shift) && (scale === "difference" || shift > 0))) {
      throw new RangeError(`agreeAt holds ${shift}`);
    }
  }
  const probes = createProbes(candidate, baseline, scale);
  const neutral = scale === "ratio" ? 1 : 0;
  const known: Known = {
    least: probes.at(probes.least),
    greatest: probes.at(probes.greatest),
    tried: [neutral, ...agreeAt].map((shift) => probes.at(shift)),
    coarse: probes.coarse(),
  };
  return {
    lower: alphaLower === 0 ? probes.none : limit(probes, known, { side: 1, alpha: alphaLower }),
    upper: alphaUpper === 0 ? Infinity : limit(probes, known, { side: -1, alpha: alphaUpper }),
  };
}

/** Two points of the search closer than this in their test statistics, that is in standard errors, are one. */
export const RESOLUTION = 1e-5;
/** How closely the thinned data need to be searched to lead the full search. */
const COARSE_RESOLUTION = 0.05;
/** From this many values on, passes over all of them are worth saving. */
const COARSE_FROM = 20_000;
/** A shifted value and a pair difference are each rounded once, at up to half an ulp of twice the largest value. */
const ROUNDINGS = 4;
/** Every third step halves the doubles in between, so the search ends for any data. */
const MAX_STEPS = 400;

/** The superiority test with the candidate shifted. */
interface Probe {
  readonly shift: number;
  readonly statistic: number;
  readonly df: number;
  readonly greater: number;
  readonly less: number;
}

interface Probes {
  at(shift: number): Probe;
  /** The answer when no shift is rejected from below. */
  readonly none: number;
  /** Shifts beyond which nothing changes. */
  readonly least: number;
  readonly greatest: number;
  /** What rounding may do to a shift: that of the data, not of the shift itself. */
  rounding(shift: number): number;
  /** The smallest pair difference above one shift and the largest up to another. */
  between(low: number, high: number): { readonly first: number; readonly last: number };
  /** The same on every 16th value, as if there were as many as there are; undefined in small samples. */
  coarse(): Probes | undefined;
}

/** What both limits begin with. */
interface Known {
  readonly least: Probe;
  readonly greatest: Probe;
  readonly tried: readonly Probe[];
  readonly coarse: Probes | undefined;
}

/** `side` 1 looks for the lower limit, where "greater" ceases to be rejected; -1 for the upper one. */
interface Target {
  readonly side: 1 | -1;
  readonly alpha: number;
}

function limit(probes: Probes, { least, greatest, tried, coarse }: Known, target: Target): number {
  let rejected = target.side === 1 ? least : greatest;
  if (!isRejected(rejected, target)) return target.side === 1 ? probes.none : Infinity;
  let accepted = target.side === 1 ? greatest : least;
  if (isRejected(accepted, target)) return target.side === 1 ? Infinity : probes.none;
  const take = (probe: Probe) => {
    if (!isBetween(probe.shift, rejected.shift, accepted.shift)) return;
    if (isRejected(probe, target)) rejected = probe;
    else accepted = probe;
  };
  for (const probe of tried) take(probe);
  if (coarse) {
    const [outside, inside] = search(
      coarse,
      coarse.at(rejected.shift),
      coarse.at(accepted.shift),
      target,
      COARSE_RESOLUTION,
    );
    const width = inside.shift - outside.shift;
    for (const shift of [outside.shift, inside.shift]) take(probes.at(shift));
    // Where the thinned data were off, steps that grow fetch the end that is still far.
    for (
      let reach = 4 * width;
      Math.abs(accepted.statistic - rejected.statistic) > 1 && Number.isFinite(reach);
      reach *= 8
    ) {
      const far =
        rejected.shift === outside.shift || rejected.shift === inside.shift
          ? rejected.shift + reach
          : accepted.shift - reach;
      if (!isBetween(far, rejected.shift, accepted.shift)) break;
      take(probes.at(far));
    }
  }
  [rejected, accepted] = search(probes, rejected, accepted, target, RESOLUTION);
  return atDifference(probes, rejected.shift, accepted.shift, tried, target);
}

/**
 * The pair difference that the border stands for up to rounding, unless a shift to agree at lies on the other side of
 * it.
 */
function atDifference(
  probes: Probes,
  rejected: number,
  accepted: number,
  tried: readonly Probe[],
  target: Target,
): number {
  const slack = probes.rounding(accepted);
  if (Math.abs(accepted - rejected) > slack) return accepted;
  const { first, last } = probes.between(Math.min(accepted, rejected) - slack, Math.max(accepted, rejected) + slack);
  const agrees = tried.every((probe) => isRejected(probe, target) === target.side * (first - probe.shift) > 0);
  return first === last && agrees ? first : accepted;
}

/** Narrows a rejected and an accepted shift until they are as good as one. */
function search(probes: Probes, outside: Probe, inside: Probe, target: Target, resolution: number): [Probe, Probe] {
  let rejected = outside;
  let accepted = inside;
  let hints: number[] = [];
  let past = resolution / 3;
  let lastRejected: boolean | undefined;
  for (let step = 1; step <= MAX_STEPS; step++) {
    const low = Math.min(rejected.shift, accepted.shift);
    const high = Math.max(rejected.shift, accepted.shift);
    const rounding = probes.rounding(high);
    if (Math.abs(rejected.statistic - accepted.statistic) <= resolution || high - low <= rounding) break;
    const middle = middleDouble(low, high);
    if (hints.length === 0 && step % 3 === 0) {
      const { first, last } = probes.between(low, high);
      // With a single pair difference left the border is just before, at, or just after it. The last of the list is
      // tried first.
      hints = first >= last ? [last + rounding / 2, last - rounding / 2, last] : [middle];
    }
    let pivot = hints.pop() ?? interpolate(rejected, accepted, target, past);
    if (!(pivot > low && pivot < high)) {
      if (hints.length > 0) continue;
      pivot = middle;
    }
    const probe = probes.at(pivot);
    const isOutside = isRejected(probe, target);
    if (isOutside) rejected = probe;
    else accepted = probe;
    past = isOutside === lastRejected ? past * 8 : resolution / 3;
    lastRejected = isOutside;
  }
  return [rejected, accepted];
}

/**
 * Where the statistic should cross its critical value, a little past it on the side that is farther off, so that both
 * ends come close: the farther, the longer one end has stood still.
 */
function interpolate(rejected: Probe, accepted: Probe, target: Target, past: number): number {
  const critical = target.side * studentTQuantileUpper(target.alpha, rejected.df);
  const span = rejected.statistic - accepted.statistic;
  const share = (rejected.statistic - critical) / span;
  const beyond = past / Math.abs(span);
  const aim = share < 0.5 ? share + beyond : share - beyond;
  return rejected.shift + (accepted.shift - rejected.shift) * aim;
}

function isRejected(probe: Probe, target: Target): boolean {
  return (target.side === 1 ? probe.greater : probe.less) <= target.alpha;
}

function isBetween(shift: number, a: number, b: number): boolean {
  return shift > Math.min(a, b) && shift < Math.max(a, b);
}

/** @throws RangeError when a one-sided error chance is not in [0, 1/2). */
function requireAlpha(name: string, alpha: number): void {
  if (!(alpha >= 0 && alpha < 0.5)) throw new RangeError(`${name} is ${alpha}, not in [0, 1/2)`);
}

function createProbes(candidate: Float64Array, baseline: Float64Array, scale: "difference" | "ratio"): Probes {
  const sizes = { n: candidate.length, m: baseline.length };
  return probesOf(candidate, baseline, scale, sizes);
}

function probesOf(
  candidate: Float64Array,
  baseline: Float64Array,
  scale: "difference" | "ratio",
  sizes: { readonly n: number; readonly m: number },
): Probes {
  const pairs = pairsBetween(candidate, baseline, scale);
  const [least, greatest] =
    scale === "ratio" ? outermostFactors(candidate, baseline) : outermostShifts(candidate, baseline);
  const size = largestSize(candidate, baseline);
  const empty = new Float64Array(0);
  return {
    none: scale === "ratio" ? 0 : -Infinity,
    least,
    greatest,
    at(shift) {
      const deflation = scale === "ratio" ? { divisor: shift } : { shift };
      const moved = withinDoubles(candidate, scale, shift);
      const placed = placementVariance(asIfSized(rankSummary(moved, baseline, deflation), sizes));
      const { greater, less } = superiorityTails(placed, 0.5);
      return { shift, statistic: (placed.estimate - 0.5) / Math.sqrt(placed.variance), df: placed.df, greater, less };
    },
    rounding: (shift) => ROUNDINGS * Number.EPSILON * (scale === "ratio" ? Math.abs(shift) : size),
    between(low, high) {
      const { aboveLow, upToHigh } = pairs.scan(low, high, empty);
      return { first: aboveLow, last: upToHigh };
    },
    coarse: () =>
      sizes.n + sizes.m < COARSE_FROM ? undefined : probesOf(thinned(candidate), thinned(baseline), scale, sizes),
  };
}

/** A little inside the doubles, so that rounding does not lead out of them. */
const LARGEST = Number.MAX_VALUE * (1 - 2 ** -50);

/**
 * The candidate without the values that would leave the doubles once shifted or divided: they are held at the end that
 * they would cross. They stay beyond all baseline values, and only their order among themselves is lost.
 */
function withinDoubles(candidate: Float64Array, scale: "difference" | "ratio", shift: number): Float64Array {
  const ends = [candidate[0], candidate[candidate.length - 1]];
  if (ends.every((end) => Number.isFinite(scale === "ratio" ? end / shift : end - shift))) return candidate;
  const low = scale === "ratio" ? 0 : shift - LARGEST;
  const high = scale === "ratio" ? LARGEST * shift : LARGEST + shift;
  return candidate.map((value) => Math.min(high, Math.max(low, value)));
}

/** What a summary would be, did its placements come from samples of these sizes. */
function asIfSized(summary: RankSummary, sizes: { readonly n: number; readonly m: number }): RankSummary {
  const { n, m } = summary;
  if (n === sizes.n && m === sizes.m) return summary;
  const moreCandidate = sizes.n / n;
  const moreBaseline = sizes.m / m;
  return {
    ...summary,
    n: sizes.n,
    m: sizes.m,
    u: summary.u * moreCandidate * moreBaseline,
    candidateSquares: summary.candidateSquares * moreCandidate,
    baselineSquares: summary.baselineSquares * moreBaseline,
    candidateMode: summary.candidateMode * moreCandidate,
    baselineMode: summary.baselineMode * moreBaseline,
  };
}

/** Shifts that separate the samples fully, with room for rounding. */
function outermostShifts(candidate: Float64Array, baseline: Float64Array): [number, number] {
  const inside = (shift: number) => Math.min(LARGEST, Math.max(-LARGEST, shift));
  const least = inside(candidate[0] - baseline[baseline.length - 1]);
  const greatest = inside(candidate[candidate.length - 1] - baseline[0]);
  const beyond = greatest - least + largestSize(candidate, baseline) * 1e-9 + Number.MIN_VALUE;
  return [inside(least - beyond), inside(greatest + beyond)];
}

function largestSize(candidate: Float64Array, baseline: Float64Array): number {
  return Math.max(...[candidate, baseline].flatMap((x) => [Math.abs(x[0]), Math.abs(x[x.length - 1])]));
}

/** Factors that separate the positive values of both samples; what is 0 stays where it is. */
function outermostFactors(candidate: Float64Array, baseline: Float64Array): [number, number] {
  const x = candidate.find((value) => value > 0);
  const y = baseline.find((value) => value > 0);
  if (x === undefined || y === undefined) return [0.5, 2];
  const least = x / baseline[baseline.length - 1] / 2;
  const greatest = (candidate[candidate.length - 1] / y) * 2;
  return [Math.max(Number.MIN_VALUE, least), Math.min(LARGEST, greatest)];
}
