import { binomialPmf } from "./distributions/binomial.ts";

/** Steps of the grid on the arcsine scale: at least this many, and at least eight per standard error of a share. */
const MIN_STEPS = 256;
const STEPS_PER_ROOT_TRIAL = 4 * Math.PI;
/** Peaks of the grid that are climbed to the top. */
const PEAKS = 3;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
const CLIMB_STEPS = 40;

/**
 * How probable can a rejection region of 2x2 tables become, whatever the unknown common level of the two probabilities?
 *
 * @param thresholds  for each number of candidate events x = 0..n, the largest number of baseline events with which
 *                    the table is in the region; -1 for none. Length: candidate trials + 1.
 * @param trials      trials of the candidate and of the baseline.
 * @param path        the two probabilities under the null hypothesis, as functions of the unknown level in [0, 1].
 * @returns the supremum over levels, and the level at which it is reached.
 *
 * The level runs over sin^2 of an even grid, on which binomial standard errors are equally wide, and the highest
 * peaks are climbed by golden section; against a grid of 20,000 levels the supremum is met to 1e-6 relative.
 */
export function unconditionalSupremum(
  thresholds: Int32Array,
  trials: readonly [candidate: number, baseline: number],
  path: (level: number) => readonly [candidate: number, baseline: number],
): { readonly p: number; readonly level: number } {
  const [n, m] = trials;
  const candidate = new Float64Array(n + 1);
  const baseline = new Float64Array(m + 1);
  const levelAt = (angle: number) => Math.sin(angle) ** 2;
  const probability = (angle: number) => {
    const [p1, p2] = path(levelAt(angle));
    const [from, to] = fillBinomial(candidate, n, p1);
    const [lowest, highest] = fillBinomial(baseline, m, p2);
    for (let k = lowest + 1; k <= highest; k++) baseline[k] += baseline[k - 1];
    let sum = 0;
    for (let x = from; x <= to; x++) {
      const threshold = Math.min(highest, thresholds[x]);
      if (threshold >= lowest) sum += candidate[x] * baseline[threshold];
    }
    return sum;
  };

  const steps = Math.ceil(Math.max(MIN_STEPS, STEPS_PER_ROOT_TRIAL * Math.sqrt(Math.max(n, m))));
  const width = Math.PI / 2 / steps;
  const grid = Float64Array.from({ length: steps + 1 }, (_, i) => probability(i * width));
  let best = { p: 0, level: 0 };
  for (let i = 0; i <= steps; i++) if (grid[i] > best.p) best = { p: grid[i], level: levelAt(i * width) };

  const peaks: number[] = [];
  for (let i = 1; i < steps; i++) if (grid[i] >= grid[i - 1] && grid[i] >= grid[i + 1]) peaks.push(i);
  peaks.sort((a, b) => grid[b] - grid[a]);
  for (const peak of peaks.slice(0, PEAKS)) {
    const top = climb(probability, (peak - 1) * width, (peak + 1) * width);
    if (top.value > best.p) best = { p: top.value, level: levelAt(top.at) };
  }
  return { p: Math.min(1, best.p), level: best.level };
}

/** The top of a function with one peak between low and high, by golden section. */
function climb(f: (x: number) => number, low: number, high: number): { readonly value: number; readonly at: number } {
  let a = low;
  let b = high;
  let left = b - GOLDEN * (b - a);
  let right = a + GOLDEN * (b - a);
  let atLeft = f(left);
  let atRight = f(right);
  for (let i = 0; i < CLIMB_STEPS; i++) {
    if (atLeft > atRight) {
      b = right;
      right = left;
      atRight = atLeft;
      left = b - GOLDEN * (b - a);
      atLeft = f(left);
    } else {
      a = left;
      left = right;
      atLeft = atRight;
      right = a + GOLDEN * (b - a);
      atRight = f(right);
    }
  }
  return atLeft > atRight ? { value: atLeft, at: left } : { value: atRight, at: right };
}

/**
 * Binomial probabilities by their ratios outward from the mode, as far as they do not underflow: from the first
 * returned number of events to the second.
 */
function fillBinomial(out: Float64Array, n: number, p: number): readonly [number, number] {
  if (p <= 0 || p >= 1) {
    const certain = p <= 0 ? 0 : n;
    out[certain] = 1;
    return [certain, certain];
  }
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  out[mode] = binomialPmf(mode, n, p);
  let from = mode;
  for (; from > 0 && out[from] > 0; from--) out[from - 1] = (out[from] * from) / ((n - from + 1) * odds);
  let to = mode;
  for (; to < n && out[to] > 0; to++) out[to + 1] = (out[to] * (n - to) * odds) / (to + 1);
  return [from, to];
}
