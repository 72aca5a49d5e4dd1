import type { Issue } from "../errors.ts";
import type { Analysis, AnalysisDocument, Component, Limit, Metric, MetricInput } from "./analysis.ts";
import { AmountFault, readLevel, readTolerance, type Measure, type Tolerance, type ToleranceInput } from "./amount.ts";
import { queryForm } from "./query.ts";
import { resolveBurn } from "./resolve-burn.ts";
import { resolveHistory } from "./resolve-history.ts";
import { durationSeconds } from "./time.ts";

/** What a kind has unless its author says otherwise. The table in docs/analysis.md is this one. */
interface KindDefaults {
  readonly measurementUnit: string | null;
  readonly worse: Metric["worse"];
  readonly tier: Metric["tier"];
  readonly margin: Tolerance | null;
  readonly components: readonly Component[];
  readonly perUnit: Metric["perUnit"];
}

export const KIND_DEFAULTS: Readonly<Record<MetricInput["kind"], KindDefaults>> = {
  latency: {
    measurementUnit: "s",
    worse: "higher",
    tier: "required",
    margin: { relative: 0.05, absolute: null },
    components: ["body", "mean", "tail"],
    perUnit: "mean",
  },
  errors: {
    measurementUnit: null,
    worse: "higher",
    tier: "critical",
    margin: { relative: 0.5, absolute: 0.001 },
    components: ["rate"],
    perUnit: "max",
  },
  // 5 % of the scale, known only with the scale.
  score: {
    measurementUnit: "points",
    worse: "lower",
    tier: "critical",
    margin: null,
    components: ["mean", "body"],
    perUnit: "mean",
  },
  cost: {
    measurementUnit: null,
    worse: "higher",
    tier: "required",
    margin: { relative: 0.05, absolute: null },
    components: ["body", "mean", "tail"],
    perUnit: "sum",
  },
  gauge: {
    measurementUnit: null,
    worse: "higher",
    tier: "required",
    margin: { relative: 0.05, absolute: null },
    components: ["mean"],
    perUnit: "mean",
  },
};

/** Below this no number of units would do, and forecasts would be infinite. */
const LEAST_MARGIN = 1e-12;

export const SCORE_MARGIN_OF_SCALE = 0.05;
export const TAIL_MARGIN = 0.25;
const WEIGHTS: Readonly<Record<Metric["tier"], number>> = { critical: 3, required: 1, advisory: 0 };

/** The analysis with every default filled in, or every fault in it with its place. */
export function resolveAnalysis(document: AnalysisDocument): { analysis: Analysis } | { issues: Issue[] } {
  const { metadata, spec } = document;
  const issues: Issue[] = [];
  const plan = spec.plan ?? { mode: "once" as const };
  const stepSeconds = durationSeconds(plan.step ?? "60s");
  const continuous = plan.mode === "continuous";
  const durationOfWindow = durationSeconds(
    (continuous ? plan.maxDuration : plan.duration) ?? (continuous ? "7d" : "30m"),
  );
  const everySeconds = durationSeconds(plan.every ?? "1m");
  const followUpSeconds = durationSeconds(plan.followUp ?? "0s");
  const minDurationSeconds = durationSeconds(plan.minDuration ?? "0s");
  const warmupSeconds = durationSeconds(plan.warmup ?? "0s");
  if (stepSeconds < 1) issues.push({ pointer: "/spec/plan/step", detail: `is ${plan.step}, below 1s` });
  if (durationOfWindow <= 0) issues.push({ pointer: "/spec/plan/duration", detail: "is not above 0s" });
  if (warmupSeconds >= durationOfWindow)
    issues.push({ pointer: "/spec/plan/warmup", detail: "leaves nothing of the duration" });
  issues.push(
    ...planIssues(plan, {
      durationOfWindow,
      everySeconds,
      followUpSeconds,
      warmupSeconds,
      minDurationSeconds,
      stepSeconds,
    }),
  );

  if (spec.design === "paired" && plan.mode !== "once")
    issues.push({
      pointer: "/spec/design",
      detail: `is paired, which is judged in one look; the mode is ${plan.mode}, write plan: { mode: once }`,
    });
  if (spec.design === "paired" && spec.judge === "kayenta")
    issues.push({ pointer: "/spec/judge", detail: "is kayenta, which knows no pairs, and design is paired" });
  if (spec.design === "paired" && spec.allocation !== undefined)
    issues.push({
      pointer: "/spec/allocation",
      detail: "does not go with design: paired: no routing shares items that both versions are given",
    });

  const seen = new Set<string>();
  const metrics: Metric[] = [];
  for (const [index, input] of spec.metrics.entries()) {
    const at = `/spec/metrics/${index}`;
    if (seen.has(input.name)) issues.push({ pointer: `${at}/name`, detail: `another metric is named ${input.name}` });
    seen.add(input.name);
    const metric = resolveMetric(input, at, spec, issues);
    if (metric !== null) metrics.push(metric);
  }

  if (spec.judge === "kayenta" && plan.mode !== "once")
    issues.push({ pointer: "/spec/judge", detail: `is kayenta, which looks once, and plan.mode is ${plan.mode}` });
  if (spec.kayenta !== undefined && spec.judge !== "kayenta")
    issues.push({ pointer: "/spec/kayenta", detail: "is for judge: kayenta" });
  for (const [index, metric] of spec.metrics.entries())
    if (metric.kayenta !== undefined && spec.judge !== "kayenta")
      issues.push({ pointer: `/spec/metrics/${index}/kayenta`, detail: "is for judge: kayenta" });
  if (plan.mode === "scheduled" && stepSeconds >= 1) {
    const steps = Math.floor((durationOfWindow - warmupSeconds) / stepSeconds);
    const needed = plan.minSteps ?? 9;
    const byStep = metrics.filter(({ query }) => ["series", "histogram"].includes(queryForm(query)));
    if (byStep.length > 0 && steps < needed)
      issues.push({
        pointer: "/spec/plan/duration",
        detail: `holds ${steps} steps, and ${byStep.map(({ name }) => name).join(", ")} could never be judged with fewer than ${needed}`,
      });
  }
  if (followUpSeconds > 0)
    for (const [index, { query }] of spec.metrics.entries())
      if (
        (query.value !== undefined || (query.events !== undefined && query.where !== undefined)) &&
        query.at === undefined
      )
        issues.push({
          pointer: `/spec/metrics/${index}/query/at`,
          detail: "is missing: plan.followUp needs the time of every row",
        });
  const policy = spec.policy ?? "any";
  const superiority = spec.superiority ?? [];
  for (const [index, name] of superiority.entries()) {
    if (!seen.has(name)) issues.push({ pointer: `/spec/superiority/${index}`, detail: `no metric is named ${name}` });
  }
  if (issues.length === 0) {
    if (metrics.every((metric) => metric.tier === "advisory")) {
      issues.push({
        pointer: "/spec/metrics",
        detail: "holds advisory metrics only, so that no run could ever promote or roll back",
      });
    } else if (policy === "critical-only" && !metrics.some((metric) => metric.tier === "critical")) {
      issues.push({
        pointer: "/spec/policy",
        detail: "is critical-only, but no metric is critical, so that no run could ever roll back",
      });
    }
  }
  if (issues.length > 0) return { issues };
  return {
    analysis: {
      name: metadata.name,
      description: metadata.description ?? "",
      unit: spec.unit ?? "request",
      budgets: { rollback: spec.budgets?.rollback ?? 0.05, promote: spec.budgets?.promote ?? 0.05 },
      policy,
      allocation: spec.allocation ?? null,
      superiority: [...superiority],
      familywise: spec.familywise ?? false,
      judge: spec.judge ?? "touchstone",
      kayenta: spec.kayenta ?? { pass: 75, marginal: 50 },
      plan: {
        mode: plan.mode,
        durationSeconds: durationOfWindow,
        minDurationSeconds,
        everySeconds,
        followUpSeconds,
        settleSeconds: durationSeconds(plan.settle ?? "60s"),
        warmupSeconds,
        stepSeconds,
        minUnits: plan.minUnits ?? 30,
        minSteps: plan.minSteps ?? 9,
      },
      args: { ...spec.args },
      metrics,
    },
  };
}

interface PlanSeconds {
  readonly durationOfWindow: number;
  readonly everySeconds: number;
  readonly followUpSeconds: number;
  readonly warmupSeconds: number;
  readonly minDurationSeconds: number;
  readonly stepSeconds: number;
}

/** More looks than this in one run cost more than they tell. */
const MAX_LOOKS = 20_000;

/** Keys that do not go with the mode, and lengths of time that do not go together. */
function planIssues(plan: NonNullable<AnalysisDocument["spec"]["plan"]>, seconds: PlanSeconds): Issue[] {
  const issues: Issue[] = [];
  const fault = (key: string, detail: string) => void issues.push({ pointer: `/spec/plan/${key}`, detail });
  const only = (key: keyof typeof plan, modes: readonly string[]) => {
    if (plan[key] !== undefined && !modes.includes(plan.mode))
      fault(key, `is for the mode ${modes.join(" or ")}, and the mode is ${plan.mode}`);
  };
  only("duration", ["once", "scheduled"]);
  only("maxDuration", ["continuous"]);
  only("every", ["scheduled", "continuous"]);
  only("followUp", ["scheduled", "continuous"]);
  only("minDuration", ["scheduled", "continuous"]);
  if (plan.mode === "once") return issues;
  const { durationOfWindow, everySeconds, followUpSeconds, warmupSeconds, minDurationSeconds, stepSeconds } = seconds;
  const judged = durationOfWindow - warmupSeconds;
  if (everySeconds < 1) fault("every", `is ${plan.every}, below 1s`);
  else if (everySeconds > judged)
    fault("every", "is longer than the duration without its warm-up, so that no look would come");
  else if (judged / everySeconds > MAX_LOOKS)
    fault("every", `means ${Math.ceil(judged / everySeconds)} looks; at most ${MAX_LOOKS} are possible`);
  else if (stepSeconds >= 1 && everySeconds % stepSeconds !== 0)
    fault("every", `is ${everySeconds} s, not a multiple of the step of ${stepSeconds} s`);
  if (followUpSeconds >= judged) fault("followUp", "is as long as the duration, so that no unit would ever be counted");
  if (minDurationSeconds > durationOfWindow)
    fault("minDuration", "is longer than the duration, so that no run could promote");
  return issues;
}

function resolveMetric(input: MetricInput, at: string, spec: AnalysisDocument["spec"], issues: Issue[]): Metric | null {
  const before = issues.length;
  const defaults = KIND_DEFAULTS[input.kind];
  const measurementUnit = ("measurementUnit" in input ? input.measurementUnit : undefined) ?? defaults.measurementUnit;
  const measure: Measure = { kind: input.kind, measurementUnit };
  const scale = input.kind === "score" ? input.scale : null;
  const worse = input.worse ?? defaults.worse;

  const tolerance = (key: "margin" | "guard" | "catastrophic", given: ToleranceInput | undefined): Tolerance | null => {
    if (given === undefined) return null;
    const read = readTolerance(given, measure);
    if (!(read instanceof AmountFault)) return read;
    issues.push({ pointer: `${at}/${key}`, detail: read.detail });
    return null;
  };
  const scoreMargin =
    scale === null ? null : { relative: null, absolute: SCORE_MARGIN_OF_SCALE * (scale[1] - scale[0]) };
  const margin = tolerance("margin", input.margin) ??
    defaults.margin ??
    scoreMargin ?? { relative: null, absolute: null };
  const guard = tolerance("guard", input.guard) ?? margin;
  const catastrophic = tolerance("catastrophic", input.catastrophic);
  if (input.kind === "errors" && worse !== "higher" && input.margin === undefined)
    issues.push({
      pointer: `${at}/margin`,
      detail:
        "is missing: where more events are better, the default of half as many again would be half of all; give it in percentage points, for example 2pp",
    });
  if (worse !== "higher" && margin.relative !== null && margin.relative >= 1) {
    issues.push({ pointer: `${at}/margin`, detail: "lets the metric fall by 100% or more, which it can never do" });
  }
  if (scale !== null && margin.absolute !== null && margin.absolute >= scale[1] - scale[0]) {
    issues.push({
      pointer: `${at}/margin`,
      detail: `is ${margin.absolute}, as wide as the scale, so that it could never be exceeded`,
    });
  }
  const smallest = Math.min(margin.relative ?? Infinity, margin.absolute ?? Infinity);
  if (smallest < LEAST_MARGIN)
    issues.push({ pointer: `${at}/margin`, detail: `is ${smallest}, smaller than anything that could be proven` });
  if (catastrophic !== null && !isBeyond(catastrophic, margin)) {
    issues.push({
      pointer: `${at}/catastrophic`,
      detail: "must lie beyond the margin and be written in the same way (both relative or both absolute)",
    });
  }
  if (
    input.guard !== undefined &&
    (guard.relative === null) !== (margin.relative === null) &&
    input.kind !== "errors"
  ) {
    issues.push({ pointer: `${at}/guard`, detail: "must be written like the margin: both relative or both absolute" });
  }

  let tail = TAIL_MARGIN;
  if ("tailMargin" in input && input.tailMargin !== undefined) {
    const match = /^(\d+(?:\.\d+)?)%$/.exec(input.tailMargin);
    if (match === null || Number(match[1]) <= 0)
      issues.push({
        pointer: `${at}/tailMargin`,
        detail: `${input.tailMargin} is not a percentage above 0, for example 25%`,
      });
    else tail = Number(match[1]) / 100;
  }
  let maxInvalidFraction = 0;
  if (input.maxInvalidFraction !== undefined) {
    const match = /^(\d+(?:\.\d+)?)%$/.exec(String(input.maxInvalidFraction));
    if (match === null || Number(match[1]) >= 100)
      issues.push({
        pointer: `${at}/maxInvalidFraction`,
        detail: `${input.maxInvalidFraction} is not a percentage below 100, for example 1%`,
      });
    else maxInvalidFraction = Number(match[1]) / 100;
  }

  const limits = [
    ...resolveLimits(input, at, measure, issues),
    ...(input.kind === "errors" ? resolveBurn(input, at, measure, spec, issues) : []),
  ];
  if (input.query.instant !== undefined && (limits.length === 0 || limits.some(({ check }) => check !== "point"))) {
    issues.push({
      pointer: `${at}/limit`,
      detail:
        "an instant query gives one number, which only a limit with check: point can judge; give one, or query a series",
    });
  }
  const components = ("components" in input ? input.components : undefined) ?? defaults.components;
  const unit = input.unit ?? spec.unit ?? "request";
  issues.push(...designIssues(input, at, unit, spec), ...columnIssues(input, at, spec));
  const history = resolveHistory(input, at, measure, margin, unit, issues);
  if (issues.length > before) return null;
  const tier = input.tier ?? defaults.tier;
  return {
    name: input.name,
    kind: input.kind,
    source: input.source,
    query: input.query,
    unit,
    measurementUnit,
    worse,
    tier,
    weight: tier === "advisory" ? 0 : (input.weight ?? WEIGHTS[tier]),
    margin,
    guard,
    catastrophic,
    tailMargin: tail,
    superiorityMargin:
      scale === null
        ? null
        : ((input.kind === "score" ? input.superiorityMargin : undefined) ??
          Math.min(0.4, (margin.absolute ?? 0) / (scale[1] - scale[0]))),
    strict: input.strict ?? false,
    scale,
    components: [...components],
    perUnit: ("perUnit" in input ? input.perUnit : undefined) ?? defaults.perUnit,
    limits,
    minUnits: input.minUnits ?? spec.plan?.minUnits ?? 30,
    maxInvalidFraction,
    design: spec.design ?? "independent",
    calibration: input.kind === "score" ? (input.calibration ?? "reported") : null,
    ...(history === null ? {} : { history }),
    ...(input.kayenta === undefined ? {} : { kayenta: input.kayenta }),
  };
}

/** Pairs are found by the names of units, so every metric of a paired design needs them. */
function designIssues(input: MetricInput, at: string, unit: Metric["unit"], spec: AnalysisDocument["spec"]): Issue[] {
  if (spec.design !== "paired") return [];
  const issues: Issue[] = [];
  const form = queryForm(input.query);
  if (form !== "sql" && form !== "value")
    issues.push({
      pointer: `${at}/query`,
      detail: `gives ${form === "counts" ? "events and exposure" : form}, but design: paired compares unit with unit; query samples with unit ids`,
    });
  else if (form === "value" && input.query.unit === undefined)
    issues.push({
      pointer: `${at}/query/unit`,
      detail: "is missing: design: paired finds the same item in both arms by its unit id",
    });
  if (unit === "step")
    issues.push({
      pointer: `${at}/unit`,
      detail: "is step, but design: paired needs units with ids, for example task",
    });
  if ("components" in input && input.components?.every((component) => component === "tail") === true)
    issues.push({ pointer: `${at}/components`, detail: "holds the tail only, which design: paired does not compare" });
  return issues;
}

/** Columns that only some metrics can use. */
function columnIssues(input: MetricInput, at: string, spec: AnalysisDocument["spec"]): Issue[] {
  const { gold, covariate } = input.query;
  const issues: Issue[] = [];
  const fault = (column: string, detail: string) => void issues.push({ pointer: `${at}/query/${column}`, detail });
  if (gold !== undefined && input.kind !== "score")
    fault("gold", `is for score metrics, whose judge people can check; ${input.name} is of kind ${input.kind}`);
  if (
    input.kind === "score" &&
    input.calibration === "required" &&
    queryForm(input.query) === "value" &&
    gold === undefined
  )
    fault("gold", "is missing: calibration is required, and gold labels are what it is shown by");
  if (gold !== undefined && spec.design === "paired") fault("gold", "does not go with design: paired yet");
  if (covariate !== undefined && input.kind === "errors") fault("covariate", "is for metrics that compare means");
  if (covariate !== undefined && spec.design === "paired")
    fault("covariate", "does not go with design: paired, where each item is its own");
  return issues;
}

function resolveLimits(input: MetricInput, at: string, measure: Measure, issues: Issue[]): Limit[] {
  const limits: Limit[] = [];
  for (const [statistic, limit] of Object.entries(input.limit ?? {})) {
    // A burn limit is no amount; `resolveBurn` reads it.
    if (limit === undefined || "windows" in limit) continue;
    const pointer = `${at}/limit/${statistic}`;
    const levels: { max: number | null; min: number | null } = { max: null, min: null };
    for (const side of ["max", "min"] as const) {
      const given = limit[side];
      if (given === undefined) continue;
      const level = readLevel(given, measure);
      if (level instanceof AmountFault) issues.push({ pointer: `${pointer}/${side}`, detail: level.detail });
      else levels[side] = level;
    }
    if (limit.max === undefined && limit.min === undefined) issues.push({ pointer, detail: "needs max, min or both" });
    if (levels.max !== null && levels.min !== null && levels.min >= levels.max)
      issues.push({ pointer, detail: `min ${levels.min} is not below max ${levels.max}` });
    if (statistic === "value" && limit.check !== "point") {
      issues.push({
        pointer: `${pointer}/check`,
        detail: "must be point: a plain value has no distribution that could prove anything",
      });
    }
    if (statistic === "value" && input.query.instant === undefined) {
      issues.push({
        pointer,
        detail: "is for an instant query, which gives one value; here use mean, p95 or another quantile",
      });
    }
    limits.push({ statistic: statistic as Limit["statistic"], ...levels, check: limit.check ?? "proven" });
  }
  return limits;
}

function isBeyond(outer: Tolerance, inner: Tolerance): boolean {
  const parts = (["relative", "absolute"] as const).filter((part) => outer[part] !== null);
  return parts.length > 0 && parts.every((part) => inner[part] !== null && (outer[part] ?? 0) > (inner[part] ?? 0));
}
