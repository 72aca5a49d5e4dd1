import { sortInPlace } from "./sort-sample.ts";

/** All values that pairs of sorted data make, never written out: differences, ratios, Walsh averages. */
export interface Pairs {
  readonly total: number;
  /** How many values the pairs are made of. */
  readonly values: number;
  readonly least: number;
  readonly greatest: number;
  /**
   * One pass: how many values are at most `low` and at most `high`, and those in between as far as there is room for
   * them.
   */
  scan(low: number, high: number, room: Float64Array): Scan;
  /** A few of the values stand for their neighbours; undefined when there are too few to leave any out. */
  thin(): Pairs | undefined;
  /** By how many pairs an order statistic read off the thinned data may be wrong, generously. */
  readonly thinningError: number;
}

export interface Scan {
  readonly atMostLow: number;
  readonly atMostHigh: number;
  /** The smallest value above `low` and the largest up to `high`. */
  readonly aboveLow: number;
  readonly upToHigh: number;
}

/**
 * The first-th and last-th smallest of all pairs' values, counted from 1; `last` is `first` or `first` + 1.
 *
 * The answer is the same double that sorting all values would give: each is formed by the rounded operation of its
 * definition, which is monotone in both arguments, so a pass with two pointers counts them exactly. A bracket comes
 * from the same question about one value in 16, recursively. One pass over the data counts what lies below the bracket
 * and collects what lies in it, a small part of n + m values, which are sorted. Where the bracket misses or ties
 * overfill it, it is narrowed by interpolation and, every third time, by halving the doubles between its ends: at most
 * 200 passes whatever the data, and usually three for integers. Memory O(N).
 * Source: counting as in Johnson & Mizoguchi (1978), SIAM J. Comput. 7, 147-153, and Monahan (1984), ACM TOMS 10,
 * 265-270.
 */
export function orderStatistics(pairs: Pairs, first: number, last = first): [number, number] {
  const coarse = pairs.thin();
  const wanted = pairs.values < FEW ? pairs.values / 2 : 4 * pairs.thinningError;
  const room = new Float64Array(Math.min(pairs.total, Math.ceil(Math.max(LEAST_ROOM, wanted))));
  let low = -Infinity;
  let lowCount = 0;
  let aboveLow = pairs.least;
  let high = pairs.greatest;
  let highCount = pairs.total;
  let reach = 0;
  const guess = coarse && bracketFromThinned(pairs, coarse, first, last);
  if (guess) {
    const scan = pairs.scan(guess.low, guess.high, room);
    const count = scan.atMostHigh - scan.atMostLow;
    if (scan.atMostLow < first && scan.atMostHigh >= last && count <= room.length) {
      return pick(room, count, first - scan.atMostLow, last - scan.atMostLow);
    }
    if (scan.atMostLow < first) [low, lowCount, aboveLow] = [guess.low, scan.atMostLow, scan.aboveLow];
    else if (scan.atMostLow >= last) [high, highCount] = [guess.low, scan.atMostLow];
    if (scan.atMostHigh >= last && guess.high < high) [high, highCount] = [scan.upToHigh, scan.atMostHigh];
    reach = guess.high - guess.low;
  }
  for (let step = 1; aboveLow < high; step++) {
    if (highCount - lowCount <= room.length) {
      pairs.scan(low, high, room);
      return pick(room, highCount - lowCount, first - lowCount, last - lowCount);
    }
    // Aiming a little past the rank, away from the nearer end, lets the bracket close from both sides.
    const rank = first - lowCount;
    const aim = 2 * rank < highCount - lowCount ? rank + room.length / 3 : rank - room.length / 3;
    let pivot = aboveLow + (high - aboveLow) * (aim / (highCount - lowCount));
    if (reach > 0 && low === -Infinity) pivot = high - reach;
    else if (reach > 0 && highCount === pairs.total) pivot = low + reach;
    else if (step % 3 === 0) pivot = NaN;
    reach *= 8;
    if (!(pivot >= aboveLow && pivot < high)) pivot = middleDouble(aboveLow, high);
    const scan = pairs.scan(pivot, pivot, room);
    if (scan.atMostLow < first) [low, lowCount, aboveLow] = [pivot, scan.atMostLow, scan.aboveLow];
    else if (scan.atMostLow >= last) [high, highCount] = [scan.upToHigh, scan.atMostLow];
    else return [scan.upToHigh, scan.aboveLow];
  }
  return [high, high];
}

/**
 * Values `x[i] - y[j]`, or the ratios `x[i] / y[j]` of numbers >= 0, of two ascending arrays. Two equal numbers have
 * ratio 1, zeros included.
 */
export function pairsBetween(x: Float64Array, y: Float64Array, scale: "difference" | "ratio"): Pairs {
  const combine = scale === "ratio" ? quotient : difference;
  const n = x.length;
  const m = y.length;
  return {
    total: n * m,
    values: n + m,
    least: combine(x[0], y[m - 1]),
    greatest: combine(x[n - 1], y[0]),
    scan: (low, high, room) =>
      scale === "ratio" ? scanRatios(x, y, low, high, room) : scanDifferences(x, y, low, high, room),
    thin: () => {
      const [coarseX, coarseY] = [thinned(x), thinned(y)];
      return coarseX.length + coarseY.length < n + m ? pairsBetween(coarseX, coarseY, scale) : undefined;
    },
    thinningError: THINNING_ERRORS * n * m * (Math.sqrt(n) / n / thinnedSize(n) + Math.sqrt(m) / m / thinnedSize(m)),
  };
}

/** The Walsh averages `(x[i] + x[j]) / 2`, i <= j, of an ascending array. */
export function walshPairs(x: Float64Array): Pairs {
  const n = x.length;
  return {
    total: (n * (n + 1)) / 2,
    values: n,
    least: x[0],
    greatest: x[n - 1],
    scan: (low, high, room) => scanWalsh(x, low, high, room),
    thin: () => {
      const coarse = thinned(x);
      return coarse.length < n ? walshPairs(coarse) : undefined;
    },
    thinningError: (THINNING_ERRORS * n * Math.sqrt(n)) / thinnedSize(n),
  };
}

/**
 * How many values stand for n of them: one in 16, fine enough for a bracket that one pass over the data can collect;
 * below FEW always 32, which cost nothing and spare the first steps.
 */
function thinnedSize(n: number): number {
  return n < FEW ? Math.min(n, 32) : Math.floor(n / 16);
}

const FEW = 3000;
/** In multiples of the order of magnitude; for smooth laws that is six standard deviations of what was seen. */
const THINNING_ERRORS = 2;
/** So few pairs are sorted outright. */
const LEAST_ROOM = 64;

/**
 * The middles of equal stretches. A stretch of 16 has two: they take turns, else all of the array would seem shifted by
 * half a place.
 */
export function thinned(x: Float64Array): Float64Array {
  const size = thinnedSize(x.length);
  if (size === x.length) return x;
  const coarse = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const middle = ((i + 0.5) * x.length) / size - 0.5;
    coarse[i] = x[Math.floor(middle + (i % 2 === 0 ? 0.25 : 0.75))];
  }
  return coarse;
}

/** Where the thinned data have the ranks asked for, widened by the thinning error on both sides. */
function bracketFromThinned(pairs: Pairs, coarse: Pairs, first: number, last: number): { low: number; high: number } {
  const share = coarse.total / pairs.total;
  const from = Math.floor((first - pairs.thinningError) * share);
  const to = Math.ceil((last + pairs.thinningError) * share) + 1;
  return {
    low: from < 1 ? -Infinity : justBelow(orderStatistics(coarse, from)[0]),
    high: to > coarse.total ? pairs.greatest : orderStatistics(coarse, to)[0],
  };
}

function pick(room: Float64Array, count: number, first: number, last: number): [number, number] {
  const values = sortInPlace(room.subarray(0, count));
  return [values[first - 1], values[last - 1]];
}

function justBelow(value: number): number {
  if (value === Infinity) return Number.MAX_VALUE;
  return value - Math.max(Math.abs(value) * Number.EPSILON, Number.MIN_VALUE);
}

function difference(a: number, b: number): number {
  return a - b;
}

function quotient(a: number, b: number): number {
  return a === b ? 1 : a / b;
}

/**
 * For each x[i] the values fall with j: those above `high`, then those in between, then those at most `low`. Both
 * borders move right with i.
 */
function scanDifferences(x: Float64Array, y: Float64Array, low: number, high: number, room: Float64Array): Scan {
  const m = y.length;
  let atHigh = 0;
  let atLow = 0;
  let atMostLow = 0;
  let atMostHigh = 0;
  let aboveLow = Infinity;
  let upToHigh = -Infinity;
  let kept = 0;
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    while (atHigh < m && value - y[atHigh] > high) atHigh += 1;
    if (atLow < atHigh) atLow = atHigh;
    while (atLow < m && value - y[atLow] > low) atLow += 1;
    for (let j = atHigh; j < atLow && kept < room.length; j++) room[kept++] = value - y[j];
    atMostLow += m - atLow;
    atMostHigh += m - atHigh;
    if (atLow > 0 && value - y[atLow - 1] < aboveLow) aboveLow = value - y[atLow - 1];
    if (atHigh < m && value - y[atHigh] > upToHigh) upToHigh = value - y[atHigh];
  }
  return { atMostLow, atMostHigh, aboveLow, upToHigh };
}

/** The same loop with a division: as a parameter the operation would cost a call per value. */
function scanRatios(x: Float64Array, y: Float64Array, low: number, high: number, room: Float64Array): Scan {
  const m = y.length;
  let atHigh = 0;
  let atLow = 0;
  let atMostLow = 0;
  let atMostHigh = 0;
  let aboveLow = Infinity;
  let upToHigh = -Infinity;
  let kept = 0;
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    while (atHigh < m && quotient(value, y[atHigh]) > high) atHigh += 1;
    if (atLow < atHigh) atLow = atHigh;
    while (atLow < m && quotient(value, y[atLow]) > low) atLow += 1;
    for (let j = atHigh; j < atLow && kept < room.length; j++) room[kept++] = quotient(value, y[j]);
    atMostLow += m - atLow;
    atMostHigh += m - atHigh;
    if (atLow > 0 && quotient(value, y[atLow - 1]) < aboveLow) aboveLow = quotient(value, y[atLow - 1]);
    if (atHigh < m && quotient(value, y[atHigh]) > upToHigh) upToHigh = quotient(value, y[atHigh]);
  }
  return { atMostLow, atMostHigh, aboveLow, upToHigh };
}

/**
 * For each x[i] the averages with x[j], j >= i, rise with j: up to `low`, in between, above `high`. Both borders move
 * left with i.
 */
function scanWalsh(x: Float64Array, low: number, high: number, room: Float64Array): Scan {
  const n = x.length;
  let atLow = n;
  let atHigh = n;
  let atMostLow = 0;
  let atMostHigh = 0;
  let aboveLow = Infinity;
  let upToHigh = -Infinity;
  let kept = 0;
  for (let i = 0; i < n; i++) {
    const value = x[i];
    while (atHigh > i && average(value, x[atHigh - 1]) > high) atHigh -= 1;
    if (atLow > atHigh) atLow = atHigh;
    while (atLow > i && average(value, x[atLow - 1]) > low) atLow -= 1;
    const fromLow = Math.max(atLow, i);
    const fromHigh = Math.max(atHigh, i);
    for (let j = fromLow; j < fromHigh && kept < room.length; j++) room[kept++] = average(value, x[j]);
    atMostLow += fromLow - i;
    atMostHigh += fromHigh - i;
    if (fromLow < n && average(value, x[fromLow]) < aboveLow) aboveLow = average(value, x[fromLow]);
    if (fromHigh > i && average(value, x[fromHigh - 1]) > upToHigh) upToHigh = average(value, x[fromHigh - 1]);
  }
  return { atMostLow, atMostHigh, aboveLow, upToHigh };
}

/** Halved before adding, which overflows for no pair. */
function average(a: number, b: number): number {
  return a / 2 + b / 2;
}

/** The double halfway between a < b by the number of doubles, in [a, b): where values crowd is not known. */
export function middleDouble(a: number, b: number): number {
  const middle = (place(a) + place(b)) >> 1n;
  words[0] = middle < 0n ? -middle | SIGN : middle;
  return doubles[0];
}

/** The number of a double in the order of doubles, 0 for 0. */
function place(value: number): bigint {
  doubles[0] = value;
  return words[0] & SIGN ? -(words[0] ^ SIGN) : words[0];
}

const SIGN = 1n << 63n;
const doubles = new Float64Array(1);
const words = new BigUint64Array(doubles.buffer);
