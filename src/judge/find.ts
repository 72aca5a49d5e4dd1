import type { Analysis, Metric } from "../model/analysis.ts";
import type { Tolerance } from "../model/amount.ts";
import type { ArmState, MetricState } from "../model/look-state.ts";
import type { ComponentFinding, Finding, Reason } from "../model/finding.ts";
import { normalQuantileUpper } from "../stats/distributions/normal.ts";
import { provenSides, sharesOf } from "./budget.ts";
import type { Accumulation } from "./accumulate.ts";
import { nextBets, withBets, type Stretches } from "./bets.ts";
import { distanceBetween, isReached, openClaims, type ClaimBook, type ClaimClock, type ExactClaim } from "./claim.ts";
import { clean } from "./clean.ts";
import { describeArm } from "./describe.ts";
import { NONE, type Evidence, type Level } from "./evidence.ts";
import { agreeing, alwaysValidP, eValueOf, exactClaims, methodWithoutEnd } from "./exact-claims.ts";
import { formatCount, formatNumber, formatP } from "./format.ts";
import type { Gathered } from "./gathered.ts";
import { judgeLimits } from "./limits.ts";
import { evidenceOf, isEnough, MIN_UNITS_EVER } from "./metric-evidence.ts";
import { SHAPE_ALPHA } from "./shape-change.ts";
import type { Watch } from "./watch.ts";

/** Which look this is, and what the looks before left behind of the metric. */
export interface FindContext {
  readonly clock: ClaimClock;
  readonly accumulation: Accumulation;
  /** Of time, for exact e-values; null where the plan has an end. */
  readonly stretches: Stretches | null;
  readonly before: MetricState | null;
  /** In which the units came; null where time does not matter. */
  readonly minutes: number | null;
  /** False leaves out what no decision needs: intervals, named tests, summaries of the arms. */
  readonly detail: boolean;
  readonly watch: Watch;
}

export interface Found {
  readonly finding: Finding;
  /** What the next look continues from: as before, where the metric was faulty. */
  readonly kept: Pick<MetricState, "baseline" | "candidate" | "claims" | "bets">;
}

const NOTHING_YET: Found["kept"] = { baseline: null, candidate: null, claims: {} };

/** What one look says about one metric. */
export function find(gathered: Gathered, analysis: Analysis, context: FindContext): Found {
  const { metric } = gathered;
  const { before, clock, detail, watch } = context;
  const cleaned = clean(gathered, before, context.accumulation);
  if (cleaned.kind === "faulty") {
    const finding: Finding = {
      ...blank(metric),
      finding: cleaned.finding,
      reasons: [{ code: cleaned.code, metric: metric.name, text: cleaned.text }],
      warnings: [...cleaned.warnings],
    };
    return { finding, kept: before ?? NOTHING_YET };
  }
  const { baseline, candidate, kept, late, warnings } = cleaned;
  const book = openClaims(before?.claims ?? {}, clock, detail);
  const { stretches } = context;
  const begun = before === null || before.baseline === null ? null : before.bets;
  const bets = stretches === null ? undefined : nextBets(begun, cleaned.newcomers, metric, stretches);
  const evidence = evidenceOf(metric, baseline, candidate, analysis);
  const shares = sharesOf(
    metric,
    analysis,
    [...evidence.components.map(({ component }) => component), ...evidence.leftOut],
    provenSides(metric),
  );
  const alphaSafe = analysis.budgets.promote;
  const judged = evidence.components.map((one) =>
    watch("test", one.component, () =>
      judgeComponent(
        withBets(one, bets, metric),
        metric,
        shares.component[one.component],
        alphaSafe,
        book,
        clock.mode,
        detail,
      ),
    ),
  );
  const tooFew = baseline.shape === "units" && !isEnough(evidence.units.baseline, evidence.units.candidate);
  const harmed = !tooFew && judged.some(({ component }) => component.worse);
  // The estimate is dear, and only a harm asks whether another component gained as much.
  const components = judged.map(({ component, gained }) => ({ ...component, gained: harmed && gained() }));
  const { cells } = context.accumulation;
  const limits = judgeLimits(metric, baseline, candidate, shares.limit, alphaSafe, book, cells);
  const reasons: Reason[] = [];
  const say = (code: Reason["code"], text: string) =>
    void reasons.push({ code, metric: metric.name, text: `${metric.name}: ${text}` });

  if (late !== null) say("late_data", `${late}; a longer plan.settle waits for it`);
  if (evidence.untestable !== null) say("not_testable", evidence.untestable);
  const hasBurn = metric.limits.some(({ burn }) => burn !== undefined);
  if (hasBurn && (candidate.tallies === undefined || baseline.tallies === undefined))
    say("not_testable", "a burn limit needs events with their times, and the source gives none");
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
  const conflicting = harmed && components.some((component) => component.gained);
  if (conflicting) {
    const named = (wanted: "worse" | "gained") =>
      components
        .filter((one) => one[wanted])
        .map(({ component }) => component)
        .join(" and ");
    say(
      "conflicting",
      `its ${named("worse")} is proven worse, and its ${named("gained")} is better by as much; a person has to weigh that`,
    );
  }
  const worse = harmed && !conflicting;
  // What has limits and nothing to compare, such as an instant query, is safe by its limits.
  const limitsOnly = components.length === 0 && evidence.untestable === null;
  const safe =
    !conflicting &&
    !tooFew &&
    (limitsOnly
      ? limits.every(({ state }) => state === "holds")
      : components.length > 0 && components.every((component) => component.safe));
  const better = safe && !limitsOnly && components.every((component) => component.better);
  // Only a promotion asks for the shape.
  const shape = detail || safe ? evidence.shape(shapeLevel(clock)) : null;
  if (shape !== null) {
    const { statistic, p, location } = shape;
    say(
      "shape_changed",
      `the distribution moved towards worse beyond the margin: ${formatNumber(100 * statistic)}% of the values have crossed ${formatNumber(location)} (Kolmogorov–Smirnov, p ${formatP(p)})`,
    );
  }
  const decisive = decisiveComponent(components);
  const finding: Finding = {
    ...blank(metric),
    finding: worse ? "worse" : better ? "better" : safe ? "safe" : "unclear",
    shape: baseline.shape === "units" ? "samples" : baseline.shape,
    effect: decisive?.effect ?? null,
    components,
    limits,
    tests: detail ? [...watch("test", "named tests", () => evidence.tests())] : [],
    units: evidence.units,
    effectiveUnits: evidence.components[0]?.effectiveUnits ?? evidence.units,
    arms: detail ? { baseline: describeArm(baseline, metric), candidate: describeArm(candidate, metric) } : null,
    confidence: confidenceOf(components, limits, tooFew),
    reasons,
    blocksPromotion: shape !== null || evidence.untestable !== null || late !== null,
    warnings: [...warnings, ...evidence.warnings],
    flips: detail ? evidence.flips() : null,
    examples: detail && worse ? examplesOf(candidate) : null,
    forecast: detail ? forecastOf(evidence.units, components, metric.worse, context.minutes) : null,
  };
  return { finding, kept: { ...kept, claims: book.states, ...(bets === undefined ? {} : { bets }) } };
}

/** A harmless change of shape may block a promotion this often over all planned looks; without an end, by a union bound over looks. */
function shapeLevel({ mode, look, looksPlanned }: ClaimClock): number {
  return mode === "continuous" ? (SHAPE_ALPHA * 6) / (Math.PI * look) ** 2 : SHAPE_ALPHA / looksPlanned;
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
    flips: null,
    examples: null,
    forecast: null,
  };
}

/** The candidate's worst units, where the source says where to look at them. */
function examplesOf(candidate: ArmState): Finding["examples"] {
  return candidate.shape === "units" && candidate.worst !== undefined ? [...candidate.worst] : null;
}

const ALMOST_ALL = 0.99;

/** One component against both budgets. Orientation happens here and nowhere else. */
export function judgeComponent(
  evidence: Evidence,
  metric: Metric,
  alphaWorse: number,
  alphaSafe: number,
  book: ClaimBook,
  mode: ClaimClock["mode"],
  detail: boolean,
): { component: Omit<ComponentFinding, "gained">; gained: () => boolean } {
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

  const reachesBetter = (tolerance: Tolerance): boolean =>
    direction === "higher"
      ? evidence.estimate <= evidence.place(level(tolerance, -1))
      : evidence.estimate >= evidence.place(level(tolerance, 1));
  const { component, information } = evidence;
  const side = direction === "lower" ? -1 : 1;
  const atMargin = (one: 1 | -1): Level => level(tolerances.margin, one);
  const atHarm = metric.strict ? atMargin : () => NONE;
  const exact = exactClaims(evidence, direction);
  const [exactHarm, exactInside] = [exact.harmBeyond(atHarm), exact.inside(atMargin)];
  /** Some p-values are dear: where they decide nothing and nobody reads them, the e-value stands for them. */
  const pOf = (claim: ExactClaim | null, p: () => number): number =>
    claim?.alone === true && !detail ? alwaysValidP(claim) : p();
  const pWorse = pOf(exactHarm, () => pHarmBeyond(() => NONE));
  const pUnsafe = pOf(exactInside, () => pInside(tolerances.margin));
  const beyond = metric.strict ? pOf(exactHarm, () => pHarmBeyond(atHarm)) : pWorse;
  const tailsAt = (at: Level) => ({ above: evidence.above(at), below: evidence.below(at) });
  const inMargins = (margins: number): Level =>
    margins === 0 ? NONE : level(times(tolerances.margin, Math.abs(margins)), margins > 0 ? 1 : -1);
  const distance = (): number | null => {
    const { standardError } = evidence;
    const margin = Math.abs(evidence.place(level(tolerances.margin, side)));
    // Where the evidence has no standard error of its own, its p-values show how many of them a margin is: near the estimate, for far out they tell of their tails.
    if (standardError === undefined) {
      // Less than nothing of the baseline cannot be asked about, nor a share that differs by all there is.
      const lowest = tolerances.margin.relative === null ? -Infinity : -ALMOST_ALL / tolerances.margin.relative;
      const { estimate, scale } = evidence;
      const possible = scale === "fraction" ? Math.max(-ALMOST_ALL, Math.min(ALMOST_ALL, estimate)) : estimate;
      const estimated = margin > 0 ? Math.max(lowest, possible / margin) : 0;
      const [from, to] = Math.abs(estimated) <= 1 ? [0, side] : [estimated, estimated - Math.sign(estimated)];
      return distanceBetween(tailsAt(inMargins(from)), tailsAt(inMargins(to)));
    }
    return standardError === null || standardError === 0 ? null : margin / standardError;
  };
  const harm = book.test(`${component}:worse`, {
    p: beyond,
    alpha: alphaWorse,
    spending: "harm",
    bar: evidence.rollbackBar,
    information,
    distance,
    exact: exactHarm,
  });
  const safety = { alpha: alphaSafe, spending: "safety", bar: evidence.promotionBar, information, distance } as const;
  const inside = book.test(`${component}:safe`, { p: pUnsafe, exact: exactInside, ...safety });
  // What was proven at an earlier look stays proven, unless the estimate itself has left the margin since.
  const safe = inside.since !== null && evidence.promotionBar === null && !reaches(tolerances.margin);
  const worse = harm.proven && !safe && reaches(tolerances.guard);
  const exactBetter = exact.better();
  const pBetter = pOf(exactBetter, () =>
    direction === "higher" ? evidence.below(NONE) : direction === "lower" ? evidence.above(NONE) : 1,
  );
  const better = safe && book.test(`${component}:better`, { p: pBetter, exact: exactBetter, ...safety }).since !== null;
  // As much better as would be worse: what another component may not roll back over.
  const gained = (): boolean => direction !== "either" && reachesBetter(tolerances.guard);
  const { catastrophic } = tolerances;
  const bounds = (): { lower: number | null; upper: number | null } => {
    // A look that was not tested shows the interval of the whole budget.
    const [lower, upper] = alphasOfBounds(
      direction,
      shownLevel(harm.level, alphaWorse),
      shownLevel(inside.level, alphaSafe),
    );
    const drawn = evidence.bounds(lower, upper);
    if (direction === "either") return drawn;
    const harmful = { at: evidence.place(atHarm(side)), claim: exactHarm, alpha: alphaWorse };
    const margin = { at: evidence.place(atMargin(side)), claim: exactInside, alpha: alphaSafe };
    return direction === "higher" ? agreeing(drawn, harmful, margin) : agreeing(drawn, margin, harmful);
  };
  const isCatastrophic = (tolerance: Tolerance): boolean => {
    const at = (one: 1 | -1) => level(tolerance, one);
    const claim = exact.harmBeyond(at);
    const reached = claim === null || isReached(claim.logE, alphaWorse);
    return reached && (claim?.alone === true || pHarmBeyond(at) <= (harm.level ?? 0));
  };
  return {
    gained,
    component: {
      component,
      method: mode === "continuous" ? methodWithoutEnd(evidence) : evidence.method,
      effect: {
        estimate: worse || detail ? evidence.estimate : 0,
        ...(detail ? bounds() : { lower: null, upper: null }),
        scale: evidence.scale,
        margin: Math.abs(evidence.place(atMargin(side))),
      },
      guard: Math.abs(evidence.place(level(tolerances.guard, side))),
      pWorse,
      pUnsafe,
      alphaWorse,
      alphaSafe,
      levelWorse: harm.level,
      levelSafe: inside.level,
      ...(exactHarm === null ? {} : { eWorse: eValueOf(exactHarm) }),
      ...(exactInside === null ? {} : { eSafe: eValueOf(exactInside) }),
      safeSince: inside.since,
      worse,
      safe,
      better,
      catastrophic: worse && catastrophic !== null && isCatastrophic(catastrophic),
    },
  };
}

function times({ relative, absolute }: Tolerance, factor: number): Tolerance {
  return {
    relative: relative === null ? null : factor * relative,
    absolute: absolute === null ? null : factor * absolute,
  };
}

/** Early boundaries lie where 1 - level is 1 to a double; the interval of this level is as wide as anybody needs. */
const LEAST_SHOWN = 1e-15;

function shownLevel(level: number | null, budget: number): number {
  return Math.max(level === null || level === 0 ? budget : level, LEAST_SHOWN);
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
  minutes: number | null,
): Finding["forecast"] {
  const decisive = decisiveComponent(components);
  const error = decisive === null ? null : standardErrorOf(decisive, worse);
  if (decisive === null || error === null || error === 0) return null;
  const detectable = (normalQuantileUpper(decisive.alphaWorse) + POWER_Z) * error;
  if (decisive.safe || decisive.worse) return { units: null, minutes: null, detectable };
  const { estimate, margin } = decisive.effect;
  const harm = worse === "higher" ? estimate : worse === "lower" ? -estimate : Math.abs(estimate);
  const shrunk = (harm * margin ** 2) / (margin ** 2 + error ** 2);
  if (shrunk >= margin) return { units: null, minutes: null, detectable };
  const factor = (((normalQuantileUpper(decisive.alphaSafe) + POWER_Z) * error) / (margin - shrunk)) ** 2;
  const scarcer = Math.min(units.baseline, units.candidate);
  const more = factor > 1 ? Math.ceil(scarcer * (factor - 1)) : 0;
  // Two or three steps can leave an interval up to 1e300: no number that could be counted would do.
  if (more > Number.MAX_SAFE_INTEGER) return { units: null, minutes: null, detectable };
  return { units: more, minutes: minutes === null ? null : (more * minutes) / scarcer, detectable };
}

/** From the width of the interval, as if it were a normal one. */
function standardErrorOf(
  { effect, alphaWorse, alphaSafe, levelWorse, levelSafe }: ComponentFinding,
  worse: Metric["worse"],
): number | null {
  const [alphaLower, alphaUpper] = alphasOfBounds(
    worse,
    shownLevel(levelWorse, alphaWorse),
    shownLevel(levelSafe, alphaSafe),
  );
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
