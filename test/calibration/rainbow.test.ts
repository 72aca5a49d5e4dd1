import { describe, expect, test } from "vitest";
import { COMPARISON_ERROR, compareEach } from "../../src/judge/compare.ts";
import type { MetricState } from "../../src/model/look-state.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import type { CandidatePair } from "../../src/model/comparison.ts";
import { toInstant } from "../../src/model/time.ts";
import { seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { runOf, START_SECONDS } from "../judge/play.ts";
import { analysisWith } from "../judge/samples.ts";
import { ceilingOf, percent } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/**
 * The promise of candidates that are compared with each other: over all pairs, metrics and looks together a difference that is not there is claimed in at most 5 %
 * of runs, and so is equivalence at the margin. A real run compares at the looks that bring a verdict; here every look does, which is the worst it could choose.
 */

/** A run of three candidates costs a fifth of a second. */
const times = Math.round(runs / 20);

const LABELS = ["v2", "v3", "v4"];
/** Units of a candidate at each look. */
const LOOKS = [50, 100, 200, 400, 600, 1000];
const MOST = 1000;

const METRICS = `- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v } }
- { name: latency, kind: latency, margin: 10%, components: [body, mean], source: s, query: { value: v } }
- { name: failures, kind: errors, margin: 2pp, source: s, query: { value: v } }`;

type Law = (random: Random) => number;

const BASE_SCORES = [0.05, 0.1, 0.2, 0.35, 0.3];
/** Scores whose mean is lower by `lower`. */
const score =
  (lower: number): Law =>
  (random) => {
    let rest = random();
    const index = BASE_SCORES.findIndex(
      (share, place) => (rest -= share + (place === 4 ? -lower : place === 3 ? lower : 0)) < 0,
    );
    return index < 0 ? 5 : index + 1;
  };
const lognormal =
  (factor: number): Law =>
  (random) =>
    200 * factor * Math.exp(0.8 * standardNormal(random));
const event =
  (rate: number): Law =>
  (random) =>
    random() < rate ? 1 : 0;

const SAME: Readonly<Record<string, Law>> = { quality: score(0), latency: lognormal(1), failures: event(0.05) };

function stateOf(values: Float64Array): MetricState {
  const arm = {
    shape: "units",
    rows: values.length,
    invalid: 0,
    faults: [],
    lastAt: null,
    values: values.slice().sort(),
    strata: null,
    marks: null,
  } as const;
  return { gatheredUpTo: null, timeless: true, baseline: null, candidate: arm, claims: {} };
}

/** What is said of each pair at each look. */
function compareAtLooks(
  analysis: Analysis,
  laws: readonly Readonly<Record<string, Law>>[],
  looks: readonly number[],
  seed: number,
): CandidatePair[][] {
  const random = seeded(seed);
  const labels = LABELS.slice(0, laws.length);
  const drawn = laws.map((own) =>
    analysis.metrics.map(
      ({ name }) => [name, Float64Array.from({ length: MOST }, () => own[name]?.(random) ?? 0)] as const,
    ),
  );
  const run = { ...runOf(analysis), candidates: labels.map((label) => ({ label })) };
  return looks.map((size, index) =>
    compareEach(
      run,
      labels.map((label, own) => ({
        label,
        metrics: Object.fromEntries(
          (drawn[own] ?? []).map(([name, values]) => [name, stateOf(values.subarray(0, size))]),
        ),
      })),
      index + 1,
      toInstant(START_SECONDS + (2400 * (index + 1)) / looks.length),
    ),
  );
}

const PLANS = [
  { name: "one look", plan: "plan: { mode: once }", looks: [MOST] },
  { name: "six looks", plan: "plan: { mode: scheduled, duration: 40m, every: 6m, settle: 0s }", looks: LOOKS },
];

describe("three candidates against each other", () => {
  test.each(PLANS)("alike, none is proven better than another: $name", ({ name, plan, looks }) => {
    const analysis = analysisWith(METRICS, plan);
    let wrong = 0;
    for (let run = 0; run < times; run++) {
      const pairs = compareAtLooks(analysis, [SAME, SAME, SAME], looks, 81_000 + run).flat();
      const claims = new Set(pairs.flatMap(({ metrics }) => metrics.map(({ finding }) => finding)));
      if (claims.has("better") || claims.has("worse")) wrong += 1 / times;
    }
    report({ "compared, alike": name, "any difference claimed %": percent(wrong) });
    expect(wrong).toBeLessThanOrEqual(ceilingOf(COMPARISON_ERROR, times));
  });

  test.each(PLANS)("at the margin in every metric, none is proven equivalent: $name", ({ name, plan, looks }) => {
    const analysis = analysisWith(METRICS, plan);
    const far = { quality: score(0.25), latency: lognormal(1.1), failures: event(0.07) };
    let wrong = 0;
    for (let run = 0; run < times; run++) {
      const pairs = compareAtLooks(analysis, [SAME, far], looks, 83_000 + run).flat();
      if (pairs.some(({ metrics }) => metrics.some(({ withinMargin }) => withinMargin))) wrong += 1 / times;
    }
    report({ "compared, at the margin": name, "any equivalence claimed %": percent(wrong) });
    expect(wrong).toBeLessThanOrEqual(ceilingOf(COMPARISON_ERROR, times));
  });

  test.each(PLANS)("one that is better is found: $name", ({ name, plan, looks }) => {
    const analysis = analysisWith(METRICS, plan);
    const better = { ...SAME, latency: lognormal(1 / 1.2) };
    const share = Math.round(times / 2);
    let found = 0;
    for (let run = 0; run < share; run++) {
      const last = compareAtLooks(analysis, [SAME, better, SAME], looks.slice(-1), 85_000 + run).flat();
      const [first, , third] = last;
      if (first?.finding === "better" && third?.finding === "worse") found += 1 / share;
    }
    report({ "compared, one 17% faster, 1000 units each": name, "proven better than both %": percent(found) });
    expect(found).toBeGreaterThan(0.4);
  });
});
