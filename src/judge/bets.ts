import type { Tolerance } from "../model/amount.ts";
import type { Metric } from "../model/analysis.ts";
import type { BetsState, Tallied } from "../model/look-state.ts";
import { averageLogE } from "../stats/e-value-combination.ts";
import {
  addBlock,
  betOnBlock,
  NO_BETS,
  NOTHING_KNOWN,
  type Border,
  type TwoArmsOptions,
} from "../stats/e-value-two-arms.ts";
import { marginAt } from "../stats/proportion-margin.ts";
import type { Newcomers } from "./accumulate.ts";
import { NONE, type Evidence, type ExactEvidence, type Level } from "./evidence.ts";

/**
 * Exact e-values of plans without an end, for what lies between two bounds: errors, and scores by their mean.
 *
 * What enters is cut into stretches of time, and a block is as many stretches as bring both arms enough values. The bets of a block follow from earlier blocks
 * alone, and each block is bet on once, so that a claim's wealth is a product over blocks that the run's state carries from look to look. As the arms are compared
 * block by block, a ramp does not matter, nor what both arms meet in the same minutes.
 */

/** Where the stretches lie: a whole number of them between two looks, so that a late look cuts the same blocks as punctual ones. */
export interface Stretches {
  readonly from: number;
  readonly seconds: number;
}

/** A block of so many values, both arms together: chance makes the arms unequal in it, which costs one part in so many of what they could tell. */
const LEAST_IN_BLOCK = 20;

/**
 * @param before     null before the first values; undefined where an earlier look found that there is nothing to bet on.
 * @param newcomers  null where nothing is new.
 * @returns undefined where the metric is not of a kind, or the values do not come in a way, that can be bet on.
 */
export function nextBets(
  before: BetsState | null | undefined,
  newcomers: { readonly baseline: Newcomers | null; readonly candidate: Newcomers | null } | null,
  metric: Metric,
  stretches: Stretches,
): BetsState | undefined {
  const range = rangeOf(metric);
  if (before === undefined || range === null) return undefined;
  let state: BetsState = before ?? {
    known: NOTHING_KNOWN,
    wealth: Object.fromEntries(betsOf(metric, range).map(({ key }) => [key, NO_BETS])),
    waiting: { baseline: NO_VALUES, candidate: NO_VALUES },
  };
  if (newcomers === null) return state;
  const { baseline, candidate } = newcomers;
  if (baseline === null || candidate === null) return undefined;
  const arms = { baseline: byStretch(baseline, stretches, range), candidate: byStretch(candidate, stretches, range) };
  const places = [...new Set([...arms.baseline.keys(), ...arms.candidate.keys()])].sort((a, b) => a - b);
  for (const place of places) {
    const block = {
      baseline: tally(state.waiting.baseline, arms.baseline.get(place)),
      candidate: tally(state.waiting.candidate, arms.candidate.get(place)),
    };
    const [b, c] = [sizeOf(block.baseline), sizeOf(block.candidate)];
    const complete = b > 0 && c > 0 && b + c >= LEAST_IN_BLOCK;
    state = complete ? afterBlock(state, block, metric, range) : { ...state, waiting: block };
  }
  return state;
}

function afterBlock(
  { known, wealth }: BetsState,
  block: BetsState["waiting"],
  metric: Metric,
  range: Range,
): BetsState {
  return {
    known: addBlock(known, block),
    wealth: Object.fromEntries(
      betsOf(metric, range).map(({ key, options }) => [
        key,
        betOnBlock(wealth[key] ?? NO_BETS, known, block, { ...options, yesOrNo: metric.kind === "errors" }),
      ]),
    ),
    waiting: { baseline: NO_VALUES, candidate: NO_VALUES },
  };
}

/** The evidence with its exact e-values, where the bets are on this component. */
export function withBets(evidence: Evidence, bets: BetsState | undefined, metric: Metric): Evidence {
  const range = rangeOf(metric);
  if (bets === undefined || range === null || evidence.component !== componentOf(metric)) return evidence;
  const logE = (level: Level, alternative: TwoArmsOptions["alternative"]): number | null => {
    const nulls = nullsOf(level, alternative, range);
    const logs = nulls.flatMap((borders) => {
      const wealth = bets.wealth[keyOf(alternative, borders)];
      return wealth === undefined ? [] : [averageLogE(wealth)];
    });
    // Of several nulls all must be rejected.
    return logs.length === 0 || logs.length < nulls.length ? null : Math.min(...logs);
  };
  const exact: ExactEvidence = {
    above: (level) => logE(level, "greater"),
    below: (level) => logE(level, "less"),
    alone: evidence.bursty !== true,
  };
  // A mean's own bar is for large samples.
  return { ...evidence, exact, rollbackBar: metric.kind === "score" ? null : evidence.rollbackBar };
}

function componentOf({ kind }: Metric): Evidence["component"] {
  return kind === "errors" ? "rate" : "mean";
}

type Range = readonly [low: number, high: number];

/** Between which values a unit's value must lie; null where that is not known. */
function rangeOf({ kind, scale, components }: Metric): Range | null {
  if (kind === "errors") return [0, 1];
  return kind === "score" && components.includes("mean") ? scale : null;
}

interface Bet {
  readonly key: string;
  readonly options: Omit<TwoArmsOptions, "yesOrNo">;
}

/** Everything that a rule may ask about this metric: any change, harm inside the margin, and where they are in force harm beyond it and a catastrophe. */
function betsOf(metric: Metric, range: Range): Bet[] {
  const { margin, strict, catastrophic, worse } = metric;
  const sides: (1 | -1)[] = worse === "higher" ? [1] : worse === "lower" ? [-1] : [1, -1];
  const against = (level: Level, alternative: TwoArmsOptions["alternative"]): Bet[] =>
    nullsOf(level, alternative, range).map((borders) => ({
      key: keyOf(alternative, borders),
      options: { borders, alternative, sought: (baseline) => marginAt(scaled(margin, range), baseline) },
    }));
  const beyond = (tolerance: Tolerance, side: 1 | -1) =>
    against({ kind: "tolerance", tolerance, direction: side }, side === 1 ? "greater" : "less");
  const bets = [
    ...against(NONE, "greater"),
    ...against(NONE, "less"),
    ...sides.flatMap((side) => [
      ...against({ kind: "tolerance", tolerance: margin, direction: side }, side === 1 ? "less" : "greater"),
      ...(strict ? beyond(margin, side) : []),
      ...(catastrophic === null ? [] : beyond(catastrophic, side)),
    ]),
  ];
  return [...new Map(bets.map((bet) => [bet.key, bet])).values()];
}

/**
 * The nulls to reject, each beyond all of its borders. What lies outside the looser of two borders is beyond both: one null, which is
 * convex. What lies inside it is beyond one or the other: two nulls.
 */
function nullsOf(level: Level, alternative: TwoArmsOptions["alternative"], range: Range): Border[][] {
  if (level.kind === "none") return [[{ slope: 1, shift: 0 }]];
  const { direction } = level;
  const { absolute, relative } = scaled(level.tolerance, range);
  // A fall by more than all can be neither.
  if (relative !== null && direction * relative <= -1) return [];
  const borders = [
    ...(absolute === null ? [] : [{ slope: 1, shift: direction * absolute }]),
    ...(relative === null ? [] : [{ slope: 1 + direction * relative, shift: 0 }]),
  ];
  const outside = (direction === 1) === (alternative === "less");
  return outside ? [borders] : borders.map((border) => [border]);
}

/** As it stands in the stored state. */
function keyOf(alternative: TwoArmsOptions["alternative"], borders: readonly Border[]): string {
  return `${alternative} than ${borders.map(({ slope, shift }) => `${slope} baseline + ${shift}`).join(" or ")}`;
}

function scaled({ absolute, relative }: Tolerance, [low, high]: Range): Tolerance {
  return { absolute: absolute === null ? null : absolute / (high - low), relative };
}

const NO_VALUES: Tallied = { values: new Float64Array(0), times: new Float64Array(0) };

function sizeOf({ times }: Tallied): number {
  return times.reduce((sum, time) => sum + time, 0);
}

function byStretch(
  { at, values, times }: Newcomers,
  { from, seconds }: Stretches,
  [low, high]: Range,
): Map<number, Tallied> {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < at.length; row++) {
    const place = Math.floor(((at[row] ?? 0) - from) / seconds);
    const own = rows.get(place) ?? [];
    own.push(row);
    rows.set(place, own);
  }
  return new Map(
    [...rows].map(([place, own]) => [
      place,
      {
        values: Float64Array.from(own, (row) => ((values[row] ?? 0) - low) / (high - low)),
        times: Float64Array.from(own, (row) => times[row] ?? 0),
      },
    ]),
  );
}

/** Each distinct value once, ascending, so that the order in which values come leaves no trace. */
function tally(waiting: Tallied, added: Tallied = NO_VALUES): Tallied {
  const times = new Map<number, number>();
  for (const arm of [waiting, added])
    for (const [row, value] of arm.values.entries()) times.set(value, (times.get(value) ?? 0) + (arm.times[row] ?? 0));
  const values = Float64Array.from(times.keys()).sort();
  return { values, times: values.map((value) => times.get(value) ?? 0) };
}
