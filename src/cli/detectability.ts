import { provenSides, sharesOf } from "../judge/budget.ts";
import { openClaims, type Claim } from "../judge/claim.ts";
import { formatNumber, formatStatistic } from "../judge/format.ts";
import type { Analysis, Component, Metric } from "../model/analysis.ts";
import type { Effect } from "../model/finding.ts";
import { queryForm } from "../model/query.ts";
import { normalQuantileUpper } from "../stats/distributions/normal.ts";
import { findRoot } from "../stats/find-root.ts";
import { crossingProbabilities, type BoundaryLook } from "../stats/group-sequential.ts";
import { unitsForMeans, unitsForProportions, unitsForSuperiority } from "../stats/planning.ts";
import { marginAt } from "../stats/proportion-margin.ts";

/** When a run looks, in seconds since its start. */
export interface Looks {
  readonly count: number;
  /** Where the evidence of each look ends. */
  readonly edges: readonly number[];
  /** Between an edge and its look. */
  readonly settleSeconds: number;
  /** Fraction of the plan that has passed at each. */
  readonly fractions: readonly number[];
}

/** What a metric can tell at the end of a run. */
export interface Detectability {
  readonly metric: string;
  /** Each under one assumption about the baseline, since the analysis does not know it. */
  readonly cases: readonly DetectabilityCase[];
  /** Chances of a run that is just long enough to prove an unchanged candidate safe four times in five. */
  readonly chances: readonly Chance[];
  readonly notes: readonly string[];
}

export interface DetectabilityCase {
  readonly assumption: string;
  readonly scale: Effect["scale"];
  readonly margin: number;
  /** The smallest change that rolls back with 80 %, by this metric alone; null without `--units`. */
  readonly detects: number | null;
  /** Units per arm that prove an unchanged candidate safe with 80 %. */
  readonly unitsToProveSafe: number;
}

/** For a true change of so many margins: the chance that the metric rolls back, and that it is proven safe. */
export interface Chance {
  readonly margins: number;
  readonly rollback: number;
  readonly safe: number;
}

const POWER = 0.8;
/** Beyond as many looks the boundaries hardly change any more. */
const MOST_LOOKS = 40;
const CHANGES = [0, 0.25, 0.5, 0.75, 1, 1.5, 2] as const;
/** Baselines that most services lie between. */
const EVENT_SHARES = [0.001, 0.01, 0.05, 0.2] as const;

/**
 * What this metric can detect: from the units where the law of the values is known up to one number (errors, scores), else in terms of the spread that nobody
 * knows before the baseline has been seen. By the boundaries that the judge itself draws, for units that arrive evenly.
 */
export function detectabilityOf(metric: Metric, analysis: Analysis, looks: Looks, units: number | null): Detectability {
  const [component] = metric.kind === "score" ? ["mean" as const] : componentsOf(metric);
  if (component === undefined)
    return { metric: metric.name, cases: [], chances: [], notes: ["has limits only, compared as plain values"] };
  const shares = sharesOf(metric, analysis, componentsOf(metric), provenSides(metric));
  const { promote } = analysis.budgets;
  const { mode } = analysis.plan;
  const fractions = thinned(looks.fractions);
  const harm = (distance: number) => boundariesOf(mode, fractions, shares.component[component], "harm", distance);
  const safety = (distance: number) => boundariesOf(mode, fractions, promote, "safety", distance);
  const safeDrift = driftToProveSafe(safety);
  const inflation = (safeDrift / (normalQuantileUpper(promote) - normalQuantileUpper(POWER))) ** 2;
  const rules: Rules = { metric, units, harm, alpha: promote, inflation };
  const form = queryForm(metric.query);
  const byStep = form === "series" || form === "histogram" || form === "counts" || metric.unit === "step";
  const known = byStep
    ? []
    : metric.kind === "errors"
      ? errorCases(rules)
      : metric.kind === "score"
        ? scoreCases(rules)
        : [];
  return {
    metric: metric.name,
    cases: known,
    chances: chancesOf(metric, safeDrift, harm(safeDrift), safety(safeDrift)),
    notes: [
      ...(byStep ? stepNotes(metric, analysis, safeDrift) : unitNotes(metric, units, safeDrift, known.length > 0)),
      ...burnNotes(metric, analysis, looks),
      ...(metric.design === "paired"
        ? [
            "is paired: the same items in both arms, which mostly differ less than what is assumed here of separate ones",
          ]
        : []),
      ...(metric.tier === "advisory" ? ["is advisory and decides nothing"] : []),
      ...(metric.worse === "either"
        ? ["worse is two-sided: the change that is detected is slightly larger than a one-sided one"]
        : []),
    ],
  };
}

/** What a burn limit needs before it can hold; without an end no look is the last. */
function burnNotes({ limits }: Metric, { budgets, plan }: Analysis, { fractions, count }: Looks): string[] {
  if (plan.mode === "continuous") return [];
  const clock = {
    mode: plan.mode,
    fraction: 1,
    fractionBefore: fractions.at(-2) ?? 0,
    look: count,
    looksPlanned: count,
  } as const;
  const { level } = openClaims({}, clock, true).test("claim", {
    p: 1,
    alpha: budgets.promote,
    spending: "safety",
    bar: null,
    information: 1,
    distance: () => null,
    exact: null,
    sliding: true,
  });
  if (level === null) return [];
  return limits.flatMap(({ statistic, max, check, burn }) => {
    if (burn === undefined || max === null || check === "point") return [];
    const events = Math.ceil(Math.log(level) / Math.log1p(-max * (1 - burn.objective)));
    return `${formatStatistic(statistic, burn)}: ${events} events in the long window and none of them bad prove at the last look that it stays below ${formatNumber(max)}`;
  });
}

interface Rules {
  readonly metric: Metric;
  readonly units: number | null;
  readonly harm: (distance: number) => readonly BoundaryLook[];
  readonly alpha: number;
  readonly inflation: number;
}

function errorCases({ metric, units, harm, alpha, inflation }: Rules): DetectabilityCase[] {
  const direction = metric.worse === "lower" ? -1 : 1;
  return EVENT_SHARES.map((bad): DetectabilityCase => {
    const share = direction === 1 ? bad : 1 - bad;
    const margin = marginAt(metric.margin, share);
    const variance = (p: number) => p * (1 - p);
    const error = (change: number) => {
      const moved = Math.min(1, Math.max(0, share + direction * change));
      return Math.sqrt((variance(share) + variance(moved)) / (units ?? 1));
    };
    const room = direction === 1 ? 1 - share : share;
    return {
      assumption: `baseline ${Number((100 * share).toPrecision(6))}%`,
      scale: "fraction",
      margin,
      detects: units === null ? null : smallestDetected(harm, error, margin, marginAt(metric.guard, share), room),
      unitsToProveSafe:
        margin >= room
          ? 0
          : unitsForProportions(share, share, { margin: direction * margin, alpha, power: POWER, inflation }).candidate,
    };
  });
}

function scoreCases({ metric, units, harm, alpha, inflation }: Rules): DetectabilityCase[] {
  const [low, high] = metric.scale ?? [0, 1];
  const width = high - low;
  const margin = metric.margin.absolute ?? 0;
  const shape = { alpha, power: POWER, inflation };
  const ofMean = [
    { sd: width / 4, words: "a quarter of the scale" },
    { sd: width / 2, words: "half of the scale, the most there can be" },
  ].map(({ sd, words }): DetectabilityCase => {
    const error = () => sd * Math.sqrt(2 / (units ?? 1));
    return {
      assumption: `mean, standard deviation ${Number(sd.toPrecision(6))} (${words})`,
      scale: "points",
      margin,
      detects: units === null ? null : smallestDetected(harm, error, margin, metric.guard.absolute ?? margin, width),
      unitsToProveSafe: unitsForMeans(margin, sd, shape).candidate,
    };
  });
  const superiority = metric.superiorityMargin ?? 0;
  if (!metric.components.includes("body") || superiority === 0) return ofMean;
  return [
    ...ofMean,
    {
      assumption: "superiority, without ties (ties need fewer units)",
      scale: "superiority",
      margin: superiority,
      detects: null,
      unitsToProveSafe: unitsForSuperiority(0.5 + superiority, shape).candidate,
    },
  ];
}

function unitNotes(
  { name, margin, measurementUnit, minUnits }: Metric,
  units: number | null,
  drift: number,
  isKnown: boolean,
): string[] {
  const notes: string[] = [];
  if (units !== null && units < minUnits)
    notes.push(`${units} units per arm are fewer than the ${minUnits} needed: ${name} could never promote`);
  if (isKnown) return notes;
  if (units === null) return [...notes, `${SPREAD_UNKNOWN}; --units says how wide it may be`];
  const most = ((margin.relative ?? margin.absolute ?? 0) * Math.sqrt(units / 2)) / drift;
  return [
    ...notes,
    `${SPREAD_UNKNOWN}; ${units} units per arm prove an unchanged mean safe as long as ${spreadText(most, margin.relative !== null, measurementUnit)}`,
  ];
}

function stepNotes(metric: Metric, { plan }: Analysis, drift: number): string[] {
  const { name, margin, measurementUnit, kind, unit, history } = metric;
  const steps = Math.floor((plan.durationSeconds - plan.warmupSeconds) / plan.stepSeconds + 1e-9);
  if (steps < plan.minSteps)
    return [`a run holds ${steps} steps, fewer than the ${plan.minSteps} needed: ${name} could never decide`];
  const size = margin.relative ?? margin.absolute ?? 0;
  const said = `a run holds ${steps} steps`;
  if (kind === "errors")
    return [
      `${said}; how far steps differ beyond chance is not known before they are seen: touchstone calibrate measures it`,
    ];
  const most = (size * Math.sqrt(steps)) / drift;
  const text = (deviation: number) =>
    margin.relative !== null ? `${percent(deviation)} of the baseline` : amount(deviation, measurementUnit);
  if (history !== undefined) {
    const { stepDeviation, runs } = history;
    return [
      `${said}; they prove an unchanged candidate safe where the deviation of a step is below ${text(most)}, and by its history of ${runs} runs it is ${text(stepDeviation)}`,
    ];
  }
  const assumed = unit === "step" ? "" : " (if it comes per step)";
  return [
    `${said}${assumed}; they prove an unchanged candidate safe as long as the difference of the arms within a step has a standard deviation below ${text(
      most,
    )} and steps do not resemble their neighbours; touchstone calibrate measures it, and touchstone history from runs of equal versions`,
  ];
}

const SPREAD_UNKNOWN =
  "how far units differ is not known before the baseline is seen: touchstone calibrate measures what is detected";

function spreadText(most: number, relative: boolean, measurementUnit: string | null): string {
  return relative
    ? `their standard deviation is below ${percent(most)} of the mean`
    : `their standard deviation is below ${amount(most, measurementUnit)}`;
}

const percent = (fraction: number) => `${Number((100 * fraction).toPrecision(3))}%`;
const amount = (value: number, unit: string | null) =>
  `${Number(value.toPrecision(3))}${unit === null ? "" : ` ${unit}`}`;

/** Of a run at whose end the margin lies `drift` standard errors from no change. */
function chancesOf(
  metric: Metric,
  drift: number,
  harm: readonly BoundaryLook[],
  safety: readonly BoundaryLook[],
): Chance[] {
  const guarded = withGuard(harm, guardInMargins(metric) * drift);
  return CHANGES.map((margins) => ({
    margins,
    rollback: crossing(guarded, margins * drift),
    safe: crossing(safety, (1 - margins) * drift),
  }));
}

function guardInMargins({ guard, margin, strict }: Metric): number {
  // Proof beyond the margin is asked for; the boundary then counts from there.
  if (strict) return 1;
  if (guard.relative !== null && margin.relative !== null) return guard.relative / margin.relative;
  return guard.absolute !== null && margin.absolute !== null ? guard.absolute / margin.absolute : 1;
}

/** The estimate has to reach the guard too: a floor under the boundary, lower in standard errors the earlier the look. */
function withGuard(looks: readonly BoundaryLook[], guardAtEnd: number): BoundaryLook[] {
  return looks.map(({ information, boundary }) => ({
    information,
    boundary: Math.max(boundary, guardAtEnd * Math.sqrt(information)),
  }));
}

function smallestDetected(
  harm: Rules["harm"],
  errorAt: (change: number) => number,
  margin: number,
  guard: number,
  most: number,
): number | null {
  const shortfall = (change: number) => {
    const error = errorAt(change);
    return crossing(withGuard(harm(margin / error), guard / error), change / error) - POWER;
  };
  return shortfall(most) < 0 ? null : findRoot(shortfall, 0, most, 1e-6 * most);
}

/** How many standard errors the margin must lie from no change at the end, so that safety is proven with 80 %. */
function driftToProveSafe(safety: (distance: number) => readonly BoundaryLook[]): number {
  return findRoot((drift) => crossing(safety(drift), drift) - POWER, 0.5, 30, 1e-4);
}

function crossing(looks: readonly BoundaryLook[], drift: number): number {
  return Math.min(
    1,
    crossingProbabilities(looks, drift).reduce((sum, p) => sum + p, 0),
  );
}

/** What the judge asks of z at each look: its own claims, told of evidence that never speaks. */
function boundariesOf(
  mode: Analysis["plan"]["mode"],
  fractions: readonly number[],
  alpha: number,
  spending: Claim["spending"],
  distanceAtEnd: number,
): BoundaryLook[] {
  let states: Parameters<typeof openClaims>[0] = {};
  return fractions.map((fraction, i) => {
    const book = openClaims(
      states,
      { mode, fraction, fractionBefore: fractions[i - 1] ?? 0, look: i + 1, looksPlanned: fractions.length },
      true,
    );
    const distance = distanceAtEnd * Math.sqrt(fraction);
    const { level } = book.test("claim", {
      p: 1,
      alpha,
      spending,
      bar: null,
      information: fraction,
      distance: () => distance,
      exact: null,
    });
    ({ states } = book);
    return { information: fraction, boundary: level === null || level <= 0 ? Infinity : normalQuantileUpper(level) };
  });
}

/** Evenly, the last one kept. */
function thinned(fractions: readonly number[]): readonly number[] {
  if (fractions.length <= MOST_LOOKS) return fractions;
  return Array.from(
    { length: MOST_LOOKS },
    (_, i) => fractions[Math.round(((i + 1) * fractions.length) / MOST_LOOKS) - 1] ?? 1,
  );
}

/** The components that the shape of the answer to this query will allow. Of SQL and files one value per row is taken for granted. */
export function componentsOf(metric: Metric): readonly Component[] {
  switch (queryForm(metric.query)) {
    case "instant":
      return [];
    case "series":
      return ["mean"];
    case "counts":
      return ["rate"];
    case "histogram":
    case "sql":
    case "value":
      return metric.components.filter((component) => component !== "tail" || metric.worse !== "either");
  }
}
