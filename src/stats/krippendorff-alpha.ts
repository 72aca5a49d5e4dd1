import { requireCount, requireFraction } from "./check-input.ts";
import { randomInteger, type Random } from "./random.ts";
import type { Interval } from "./proportion-interval.ts";

export type AlphaMetric = "nominal" | "ordinal" | "interval" | "ratio";

/** One item's scores, one per judge; null where a judge did not score it. */
export type ItemScores = readonly (number | null)[];

const RESAMPLES = 1000;

/**
 * How reliable are the scores of any number of judges, with gaps? Krippendorff's alpha.
 *
 * @param items   one row per item: finite scores or null; rows may differ in length. Items with fewer than two scores
 *                do not count.
 * @param metric  how far scores are apart: "nominal" equal or not; "ordinal" by ranks; "interval" by distance;
 *                "ratio" by (a - b) / (a + b), scores of at least 0.
 * @returns 1 - observed / expected disagreement, at most 1; 0 when all scores are equal, for sameness without
 *          variation shows no reliability.
 * @throws RangeError when no item has two scores, a score is not finite, or a ratio score is negative.
 *
 * Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, https://repository.upenn.edu/asc_papers/43.
 * @example krippendorffAlpha([[1, 1], [2, 2], [3, 3], [1, 2]], "nominal") // 0.666667
 */
export function krippendorffAlpha(items: readonly ItemScores[], metric: AlphaMetric): number {
  const coded = encode(items, metric);
  return alphaOf(
    coded,
    coded.items.map(() => 1),
    metric,
  );
}

/**
 * The same with an interval from a bootstrap over items.
 *
 * @param options  `confidence`; `resamples`, default 1000; `clusters`: for each item the code of its family (prompts
 *                 from one template), whole numbers; families are then drawn as a whole.
 * @returns `estimate`; `lower` and `upper` by percentiles, two-sided.
 * @throws RangeError as `krippendorffAlpha`, and when an option is out of range or clusters has another length than
 * items.
 *
 * With fewer than 20 items or families the interval is too narrow.
 */
export function krippendorffAlphaInterval(
  items: readonly ItemScores[],
  metric: AlphaMetric,
  options: { readonly confidence?: number; readonly resamples?: number; readonly clusters?: ArrayLike<number> },
  random: Random,
): Interval {
  const { confidence = 0.95, resamples = RESAMPLES, clusters } = options;
  requireFraction("confidence", confidence);
  requireCount("resamples", resamples, 1);
  if (clusters !== undefined && clusters.length !== items.length) {
    throw new RangeError(`clusters has ${clusters.length} values and items has ${items.length}`);
  }
  const coded = encode(items, metric);
  const families = new Map<number, number[]>();
  coded.items.forEach(({ index }, i) => {
    const code = clusters === undefined ? index : clusters[index];
    const family = families.get(code);
    if (family === undefined) families.set(code, [i]);
    else family.push(i);
  });
  const groups = [...families.values()];
  const times = coded.items.map(() => 1);
  const estimate = alphaOf(coded, times, metric);
  const drawn = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    times.fill(0);
    for (let g = 0; g < groups.length; g++) for (const i of groups[randomInteger(random, groups.length)]) times[i]++;
    drawn[r] = alphaOf(coded, times, metric);
  }
  drawn.sort();
  const tail = (1 - confidence) / 2;
  const at = (p: number) => drawn[Math.min(resamples - 1, Math.max(0, Math.ceil(p * resamples) - 1))];
  return { estimate, lower: at(tail), upper: at(1 - tail) };
}

interface CodedItems {
  /** The distinct scores, ascending. */
  readonly values: Float64Array;
  /** Items with at least two scores: their index in the input and their scores as indices of `values`. */
  readonly items: readonly { readonly index: number; readonly codes: readonly number[] }[];
}

function encode(items: readonly ItemScores[], metric: AlphaMetric): CodedItems {
  const distinct = new Set<number>();
  const usable: { index: number; scores: number[] }[] = [];
  items.forEach((row, index) => {
    const scores: number[] = [];
    row.forEach((score, judge) => {
      if (score === null) return;
      if (!Number.isFinite(score)) throw new RangeError(`items[${index}][${judge}] is ${score}`);
      if (metric === "ratio" && score < 0) throw new RangeError(`items[${index}][${judge}] is ${score}, less than 0`);
      // -0 and 0 are one score.
      scores.push(score + 0);
    });
    if (scores.length < 2) return;
    for (const score of scores) distinct.add(score);
    usable.push({ index, scores });
  });
  if (usable.length === 0) throw new RangeError("no item has two scores");
  const values = Float64Array.from(distinct).sort();
  const codeOf = new Map(Array.from(values, (value, code) => [value, code]));
  return {
    values,
    items: usable.map(({ index, scores }) => ({ index, codes: scores.map((score) => codeOf.get(score) as number) })),
  };
}

/** Alpha of the items, each taken so many times. */
function alphaOf({ values, items }: CodedItems, times: readonly number[], metric: AlphaMetric): number {
  const counts = new Float64Array(values.length);
  let total = 0;
  items.forEach(({ codes }, i) => {
    for (const code of codes) counts[code] += times[i];
    total += codes.length * times[i];
  });
  const places = placesOf(values, counts, metric);
  const distance = (a: number, b: number) => squaredDistance(places[a], places[b], metric);

  let observed = 0;
  items.forEach(({ codes }, i) => {
    if (times[i] === 0) return;
    let sum = 0;
    for (let a = 1; a < codes.length; a++) for (let b = 0; b < a; b++) sum += distance(codes[a], codes[b]);
    observed += (2 * times[i] * sum) / (codes.length - 1);
  });
  const expected = metric === "interval" || metric === "ordinal" ? bySums(places, counts) : byPairs(counts, distance);
  return expected === 0 ? 0 : 1 - (observed * (total - 1)) / expected;
}

/** Where each score stands on the scale of the metric: ordinal scores at the middle of their ranks. */
function placesOf(values: Float64Array, counts: Float64Array, metric: AlphaMetric): Float64Array {
  if (metric !== "ordinal") return values;
  let below = 0;
  return counts.map((count) => {
    const place = below + count / 2;
    below += count;
    return place;
  });
}

function squaredDistance(a: number, b: number, metric: AlphaMetric): number {
  if (a === b) return 0;
  if (metric === "nominal") return 1;
  return metric === "ratio" ? ((a - b) / (a + b)) ** 2 : (a - b) ** 2;
}

/** The sum of squared distances over ordered pairs of scores, from two sums about their centre. */
function bySums(places: Float64Array, counts: Float64Array): number {
  // Distances from a score that occurs, so that equal scores give exactly 0.
  const origin = places[counts.findIndex((count) => count > 0)];
  let total = 0;
  let sum = 0;
  let squares = 0;
  for (let a = 0; a < places.length; a++) {
    total += counts[a];
    sum += counts[a] * (places[a] - origin);
  }
  const shift = sum / total;
  for (let a = 0; a < places.length; a++) squares += counts[a] * (places[a] - origin - shift) ** 2;
  return 2 * total * squares;
}

function byPairs(counts: Float64Array, distance: (a: number, b: number) => number): number {
  let sum = 0;
  for (let a = 1; a < counts.length; a++) {
    if (counts[a] === 0) continue;
    for (let b = 0; b < a; b++) if (counts[b] > 0) sum += counts[a] * counts[b] * distance(a, b);
  }
  return 2 * sum;
}
