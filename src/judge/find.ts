import type { Analysis, Metric } from "../model/analysis.ts";
import type { Tolerance } from "../model/amount.ts";
import type { ComponentFinding, Finding, Reason } from "../model/finding.ts";
import { normalQuantileUpper } from "../stats/distributions/normal.ts";
import { provenSides, sharesOf } from "./budget.ts";
import { clean } from "./clean.ts";
import { describeArm } from "./describe.ts";
import { NONE, type Evidence, type Level } from "./evidence.ts";
import { formatCount, formatNumber, formatP } from "./format.ts";
import type { Gathered } from "./gathered.ts";
import { judgeLimits } from "./limits.ts";
import { evidenceOf, MIN_UNITS_EVER } from "./metric-evidence.ts";

/** What one look says about one metric. */
export function find(gathered: Gathered, analysis: Analysis): Finding {
  const { metric } = gathered;
  const cleaned = clean(gathered);
  if (cleaned.kind === "faulty") {
    return {
      ...blank(metric),
      finding: cleaned.finding,
      reasons: [{ code: cleaned.code, metric: metric.name, text: cleaned.text }],
      warnings: [...cleaned.warnings],
    };
  }
  const { baseline, candidate, warnings } = cleaned;
  const evidence = evidenceOf(metric, baseline, candidate, analysis);
  const shares = sharesOf(
    metric,
    analysis,
    evidence.components.map(({ component }) => component),
    provenSides(metric),
  );
  const alphaSafe = analysis.budgets.promote;
  const components = evidence.components.map((one) =>
    judgeComponent(one, metric, shares.component[one.component], alphaSafe),
  );
  const limits = judgeLimits(metric, baseline, candidate, shares.limit, alphaSafe);
  const reasons: Reason[] = [];
  const say = (code: Reason["code"], text: string) =>
    void reasons.push({ code, metric: metric.name, text: `${metric.name}: ${text}` });

  if (evidence.untestable !== null) say("not_testable", evidence.untestable);
  const fewest = Math.min(evidence.units.baseline, evidence.units.candidate);
  const tooFew = baseline.samples.shape === "units" && fewest < MIN_UNITS_EVER;
  if (tooFew)
    say(
      "too_few_units",
      `the baseline has ${formatCount(evidence.units.baseline, metric.unit)} and the candidate ${formatCount(evidence.units.candidate, metric.unit)}; nothing can be said below ${MIN_UNITS_EVER}`,
    );
  for (const bar of new Set(
    evidence.components.flatMap(({ promotionBar }) => (promotionBar === null ? [] : [promotionBar])),
  )) {
    if (!tooFew) say(/fewer than|worth/.test(bar) ? "too_few_units" : "not_testable", bar);
  }
  if (evidence.shape !== null) {
    const { statistic, p, location } = evidence.shape;
    say(
      "shape_changed",
      `the distribution moved towards worse beyond the margin: ${formatNumber(100 * statistic)}% of the values have crossed ${formatNumber(location)} (Kolmogorov–Smirnov, p ${formatP(p)})`,
    );
  }
  const worse = !tooFew && components.some((component) => component.worse);
  // What has limits and nothing to compare, such as an instant query, is safe by its limits.
  const limitsOnly = components.length === 0 && evidence.untestable === null;
  const safe =
    !tooFew &&
    (limitsOnly
      ? limits.every(({ state }) => state === "holds")
      : components.length > 0 && components.every((component) => component.safe));
  const better = safe && !limitsOnly && components.every((component) => component.better);
  const decisive = decisiveComponent(components);
  return {
    ...blank(metric),
    finding: worse ? "worse" : better ? "better" : safe ? "safe" : "unclear",
    shape: baseline.samples.shape === "units" ? "samples" : baseline.samples.shape,
    effect: decisive?.effect ?? null,
    components,
    limits,
    tests: [...evidence.tests],
    units: evidence.units,
    effectiveUnits: evidence.components[0]?.effectiveUnits ?? evidence.units,
    arms: { baseline: describeArm(baseline, metric), candidate: describeArm(candidate, metric) },
    confidence: confidenceOf(components, limits, tooFew),
    reasons,
    blocksPromotion: evidence.shape !== null || evidence.untestable !== null,
    warnings: [...warnings],
    forecast: forecastOf(evidence.units, components, metric.worse),
  };
}

function blank({ name, kind, tier, unit, measurementUnit }: Metric): Finding {
  return {
    metric: name,
    kind,
    tier,
    finding: "unclear",
    shape: null,
    unit,
    measurementUnit,
    effect: null,
    components: [],
    limits: [],
    tests: [],
    units: null,
    effectiveUnits: null,
    arms: null,
    confidence: null,
    reasons: [],
    blocksPromotion: false,
    warnings: [],
    forecast: null,
  };
}

/** One component against both budgets. Orientation happens here and nowhere else. */
function judgeComponent(evidence: Evidence, metric: Metric, alphaWorse: number, alphaSafe: number): ComponentFinding {
  const tolerances = tolerancesOf(evidence, metric);
  const { worse: direction } = metric;
  const level = (tolerance: Tolerance, side: 1 | -1): Level => ({ kind: "tolerance", tolerance, direction: side });
  /** p-value of "not harmful beyond the level", small when harm is proven. */
  const pHarmBeyond = (at: (side: 1 | -1) => Level): number => {
    if (direction === "higher") return evidence.above(at(1));
    if (direction === "lower") return evidence.below(at(-1));
    return Math.min(1, 2 * Math.min(evidence.above(at(1)), evidence.below(at(-1))));
  };
  /** p-value of "harmful up to the margin or beyond", small when the effect is proven to stay inside. */
  const pInside = (tolerance: Tolerance): number => {
    if (direction === "higher") return evidence.below(level(tolerance, 1));
    if (direction === "lower") return evidence.above(level(tolerance, -1));
    return Math.max(evidence.below(level(tolerance, 1)), evidence.above(level(tolerance, -1)));
  };
  const reaches = (tolerance: Tolerance): boolean => {
    const up = evidence.estimate >= evidence.place(level(tolerance, 1));
    const down = evidence.estimate <= evidence.place(level(tolerance, -1));
    return direction === "higher" ? up : direction === "lower" ? down : up || down;
  };

  const pWorse = pHarmBeyond(() => NONE);
  const pUnsafe = pInside(tolerances.margin);
  const safe = evidence.promotionBar === null && pUnsafe <= alphaSafe;
  const beyond = metric.strict ? pHarmBeyond((side) => level(tolerances.margin, side)) : pWorse;
  const worse = evidence.rollbackBar === null && beyond <= alphaWorse && reaches(tolerances.guard) && !safe;
  const pBetter = direction === "higher" ? evidence.below(NONE) : direction === "lower" ? evidence.above(NONE) : 1;
  const { catastrophic } = tolerances;
  const side = direction === "lower" ? -1 : 1;
  const [alphaLower, alphaUpper] = alphasOfBounds(direction, alphaWorse, alphaSafe);
  return {
    component: evidence.component,
    method: evidence.method,
    effect: {
      estimate: evidence.estimate,
      ...evidence.bounds(alphaLower, alphaUpper),
      scale: evidence.scale,
      margin: Math.abs(evidence.place(level(tolerances.margin, side))),
    },
    guard: Math.abs(evidence.place(level(tolerances.guard, side))),
    pWorse,
    pUnsafe,
    alphaWorse,
    alphaSafe,
    worse,
    safe,
    better: safe && pBetter <= alphaSafe,
    catastrophic: worse && catastrophic !== null && pHarmBeyond((one) => level(catastrophic, one)) <= alphaWorse,
  };
}

/** The tail has a margin of its own; everything else shares the metric's. */
function tolerancesOf(
  { component }: Evidence,
  metric: Metric,
): { margin: Tolerance; guard: Tolerance; catastrophic: Tolerance | null } {
  if (component !== "tail") return metric;
  const tail = { relative: metric.tailMargin, absolute: null };
  return { margin: tail, guard: tail, catastrophic: null };
}

/** The first component that made the metric worse; else the one that is farthest from being safe; else the first. */
export function decisiveComponent(components: readonly ComponentFinding[]): ComponentFinding | null {
  const unsafe = components.filter(({ safe }) => !safe).sort((a, b) => b.pUnsafe - a.pUnsafe);
  return components.find(({ worse }) => worse) ?? unsafe[0] ?? components[0] ?? null;
}

/** One-sided confidence that every component is within its margin and every limit holds: the weakest of them. */
function confidenceOf(
  components: readonly ComponentFinding[],
  limits: Finding["limits"],
  tooFew: boolean,
): number | null {
  if (tooFew) return null;
  const doubts = [
    ...components.map(({ pUnsafe }) => pUnsafe),
    ...limits.flatMap(({ pHolds }) => (pHolds === null ? [] : [pHolds])),
  ];
  return doubts.length === 0 ? null : 1 - Math.max(...doubts);
}

/** Chance with which a forecast promises its outcome. */
const POWER_Z = 0.8416212335729143;

/** How much more evidence of this kind would probably settle it, and what this much would find. Rough: it assumes that nothing changes. */
function forecastOf(
  units: { readonly baseline: number; readonly candidate: number },
  components: readonly ComponentFinding[],
  worse: Metric["worse"],
): Finding["forecast"] {
  const decisive = decisiveComponent(components);
  const error = decisive === null ? null : standardErrorOf(decisive, worse);
  if (decisive === null || error === null || error === 0) return null;
  const detectable = (normalQuantileUpper(decisive.alphaWorse) + POWER_Z) * error;
  if (decisive.safe || decisive.worse) return { units: null, detectable };
  const { estimate, margin } = decisive.effect;
  const harm = worse === "higher" ? estimate : worse === "lower" ? -estimate : Math.abs(estimate);
  const shrunk = (harm * margin ** 2) / (margin ** 2 + error ** 2);
  if (shrunk >= margin) return { units: null, detectable };
  const factor = (((normalQuantileUpper(decisive.alphaSafe) + POWER_Z) * error) / (margin - shrunk)) ** 2;
  return { units: factor > 1 ? Math.ceil(Math.min(units.baseline, units.candidate) * (factor - 1)) : 0, detectable };
}

/** From the width of the interval, as if it were a normal one. */
function standardErrorOf({ effect, alphaWorse, alphaSafe }: ComponentFinding, worse: Metric["worse"]): number | null {
  const [alphaLower, alphaUpper] = alphasOfBounds(worse, alphaWorse, alphaSafe);
  const { estimate, lower, upper } = effect;
  const below = lower === null ? null : (estimate - lower) / normalQuantileUpper(alphaLower);
  const above = upper === null ? null : (upper - estimate) / normalQuantileUpper(alphaUpper);
  return below === null ? above : above === null ? below : (below + above) / 2;
}

/** The harmful bound is drawn at the share of the rollback budget, the other one at the promote budget. */
function alphasOfBounds(
  worse: Metric["worse"],
  alphaWorse: number,
  alphaSafe: number,
): [alphaLower: number, alphaUpper: number] {
  if (worse === "either") return [alphaWorse / 2, alphaWorse / 2];
  return worse === "higher" ? [alphaWorse, alphaSafe] : [alphaSafe, alphaWorse];
}
