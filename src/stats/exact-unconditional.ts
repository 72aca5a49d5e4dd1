import { requirePositive, type Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { BOSCHLOO_MAX_CELLS } from "./boschloo.ts";
import { proportionRatioTest } from "./proportion-ratio.ts";
import { twoProportionsTest } from "./two-proportions.ts";
import { unconditionalSupremum } from "./unconditional-supremum.ts";

/** Statistics that differ by less than this are equally extreme. */
const EQUAL_SLACK = 1e-9;

/** The border of the null hypothesis: a difference or a ratio of the candidate's probability to the baseline's. */
export type ExactNull = { readonly difference: number } | { readonly ratio: number };

/**
 * Exact test against a margin: is the candidate's probability of an event below (or above) the baseline's plus a
 * difference, or times a ratio?
 *
 * @param candidate    events among trials >= 1, with candidate trials times baseline trials at most BOSCHLOO_MAX_CELLS.
 * @param baseline     the same for the baseline.
 * @param border       `{ difference }` in (-1, 1) or `{ ratio }` > 0.
 * @param alternative  "less" (the candidate is below the border: harm beyond the margin is ruled out), or "greater".
 * @returns `p` in (0, 1]: the largest probability, over all levels on the border, of a table whose score statistic is
 *          as extreme as the observed one.
 * @throws RangeError when counts are not whole, events exceed trials, the border is out of range, or there are too
 * many trials.
 *
 * Never more false proofs than stated, where the score test has up to 8 % instead of 5 % when one arm expects a
 * single event. Without any event and a ratio border p = 1: no ratio can be learned from no events.
 * Source: Chan (1998), Stat. Med. 17, 1403-1413; Chan & Zhang (1999), Biometrics 55, 1202-1209.
 * @example exactUnconditional({ events: 0, trials: 100 }, { events: 1, trials: 100 }, { difference: 0.05 }, "less").p // 0.0066206
 */
export function exactUnconditional(
  candidate: Proportion,
  baseline: Proportion,
  border: ExactNull,
  alternative: Exclude<Alternative, "two-sided">,
): { readonly p: number; readonly statistic: number; readonly level: number } {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const n = candidate.trials;
  const m = baseline.trials;
  if (n * m > BOSCHLOO_MAX_CELLS) {
    throw new RangeError(`candidate.trials * baseline.trials is ${n * m}, more than ${BOSCHLOO_MAX_CELLS}`);
  }
  if ("ratio" in border) requirePositive("border.ratio", border.ratio);
  else if (!(border.difference > -1 && border.difference < 1)) {
    throw new RangeError(`border.difference is ${border.difference}, not strictly between -1 and 1`);
  }
  const score = (x: number, y: number) => {
    const arms = [
      { events: x, trials: n },
      { events: y, trials: m },
    ] as const;
    return "ratio" in border
      ? proportionRatioTest(...arms, { nullRatio: border.ratio }).statistic
      : twoProportionsTest(...arms, { nullDifference: border.difference }).statistic;
  };
  const statistic = score(candidate.events, baseline.events);
  const path = pathAlong(border);
  const slack = EQUAL_SLACK * Math.max(1, Math.abs(statistic));

  if (alternative === "greater") {
    // The statistic rises with candidate events and falls with baseline events, so the region is a staircase.
    const thresholds = staircase(n, m, (x, y) => score(x, y) >= statistic - slack);
    return { ...unconditionalSupremum(thresholds, [n, m], path), statistic };
  }
  const thresholds = staircase(m, n, (y, x) => score(x, y) <= statistic + slack);
  const { p, level } = unconditionalSupremum(thresholds, [m, n], (at) => {
    const [p1, p2] = path(at);
    return [p2, p1];
  });
  return { p, level, statistic };
}

/** The candidate's and the baseline's probabilities on the border, from the lowest level (0) to the highest (1). */
function pathAlong(border: ExactNull): (level: number) => readonly [number, number] {
  if ("ratio" in border) {
    const highest = Math.min(1, 1 / border.ratio);
    return (level) => [Math.min(1, border.ratio * highest * level), highest * level];
  }
  const lowest = Math.max(0, -border.difference);
  const highest = Math.min(1, 1 - border.difference);
  return (level) => {
    const p = lowest + (highest - lowest) * level;
    return [Math.min(1, Math.max(0, p + border.difference)), p];
  };
}

function staircase(rows: number, columns: number, inside: (row: number, column: number) => boolean): Int32Array {
  const thresholds = new Int32Array(rows + 1).fill(-1);
  let column = columns;
  for (let row = rows; row >= 0; row--) {
    while (column >= 0 && !inside(row, column)) column--;
    thresholds[row] = column;
  }
  return thresholds;
}
