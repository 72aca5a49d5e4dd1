import { formatChange, formatNumber, formatPercent, formatStatistic } from "../judge/format.ts";
import type { Analysis, Limit, Metric } from "../model/analysis.ts";
import type { Tolerance } from "../model/amount.ts";
import { toDuration } from "../model/time.ts";
import { toColumns } from "./columns.ts";
import type { Chance, Detectability, DetectabilityCase, Looks } from "./detectability.ts";
import type { Explanation } from "./explain.ts";

/** An explanation for a terminal. */
export function toExplanationText(explanation: Explanation): string {
  const { analysis, looks, spending, claims, units, detectability, betweenNoneAndMargin } = explanation;
  return [
    `${analysis.name}${analysis.description === "" ? "" : `: ${analysis.description}`}`,
    "",
    ...planLines(analysis, looks),
    "",
    ...stageLines(analysis),
    "METRICS",
    ...toColumns([METRIC_HEADER, ...analysis.metrics.map(metricRow)]),
    "",
    "BUDGETS",
    `rollback ${formatPercent(analysis.budgets.rollback)}, shared by all claims of harm; spent: ${spending.rollback}`,
    `promote  ${formatPercent(analysis.budgets.promote)}, for each claim of safety, since all must hold; spent: ${spending.promote}`,
    ...toColumns([
      ["metric", "claim", "budget", "share"],
      ...claims.map(({ metric, claim, budget, share }) => [metric, claim, budget, formatPercent(share)]),
    ]),
    "",
    `WHAT IT DETECTS${units === null ? "" : ` with ${units} units per arm`}`,
    ...detectability.flatMap((one) => detectabilityLines(one, unitOf(analysis, one.metric))),
    "",
    "BETWEEN NONE AND THE MARGIN",
    betweenNoneAndMargin,
    "In a run just large enough to prove an unchanged candidate safe four times in five, by one component of the metric: chance of rollback / of safety",
    ...toColumns(chanceRows(detectability)),
    "",
  ].join("\n");
}

function planLines(
  { plan, unit, policy, allocation, superiority, judge, kayenta, familywise }: Analysis,
  looks: Looks,
): string[] {
  const {
    mode,
    durationSeconds,
    everySeconds,
    warmupSeconds,
    followUpSeconds,
    settleSeconds,
    stepSeconds,
    minUnits,
    minSteps,
  } = plan;
  const rows = [
    ...(judge === "kayenta"
      ? [
          [
            "judge",
            `kayenta (pass ${kayenta.pass}, marginal ${kayenta.marginal}): margins, budgets and limits below do not count`,
          ],
        ]
      : []),
    ["unit", unit],
    [
      "policy",
      policy === "any"
        ? "any: a required metric that is worse rolls back too"
        : "critical-only: a required metric that is worse pauses",
    ],
    [
      "allocation",
      allocation === null
        ? "not given: the ratio of units is not tested"
        : `${allocation.baseline} : ${allocation.candidate}, baseline first; another ratio pauses`,
    ],
    ...(superiority.length === 0 ? [] : [["superiority", `${superiority.join(", ")} must be better, not merely safe`]]),
    ...(familywise ? [["familywise", "several candidates share the rollback budget"]] : []),
    ["plan", `${mode}, ${time(durationSeconds)}${mode === "once" ? "" : `, a look every ${time(everySeconds)}`}`],
    ["warm-up", time(warmupSeconds)],
    ["follow-up", time(followUpSeconds)],
    ["settle", time(settleSeconds)],
    ["step", time(stepSeconds)],
    [
      "at least",
      `${minUnits} units per arm, ${minSteps} effective steps, ${time(plan.minDurationSeconds)} before a promotion`,
    ],
    ["looks", looksText(looks)],
  ];
  return toColumns(rows);
}

function stageLines({ stages, budgets }: Analysis): string[] {
  if (stages === undefined) return [];
  const rows = stages.map((stage) => [
    stage.name,
    stage.group ?? "–",
    stage.weight === null ? "–" : formatPercent(stage.weight),
    time(stage.durationSeconds),
    time(stage.everySeconds),
    time(stage.minDurationSeconds),
    String(stage.minUnits),
    stage.policy,
    stage.carry ? "yes" : "no",
    formatPercent(budgets.rollback * stage.rollbackShare),
    Object.entries(stage.args)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  ]);
  return [
    "STAGES, of which the attempts share the rollback budget of each; every stage has the whole promote budget, since all must promote. --stage NAME explains one",
    ...toColumns([STAGE_HEADER, ...rows]),
    "",
  ];
}

const STAGE_HEADER = [
  "stage",
  "group",
  "weight",
  "duration",
  "every",
  "not before",
  "min units",
  "policy",
  "goes on from the stages before",
  "rollback budget",
  "arguments",
];

/** Edges shown at either end. */
const SHOWN = 4;

function looksText({ count, edges, settleSeconds }: Looks): string {
  const shown =
    count <= 2 * SHOWN + 1
      ? edges.map(time).join(", ")
      : `${edges.slice(0, SHOWN).map(time).join(", ")}, … ${edges.slice(-2).map(time).join(", ")}`;
  return `${count}: evidence up to ${shown} after the start, each look ${time(settleSeconds)} later`;
}

const METRIC_HEADER = [
  "metric",
  "kind",
  "tier",
  "unit",
  "worse",
  "margin",
  "guard",
  "catastrophic",
  "components",
  "limits",
  "weight",
  "min units",
  "rows of a unit",
];

function metricRow(metric: Metric): string[] {
  const { name, kind, tier, unit, worse, margin, guard, catastrophic, weight, minUnits, perUnit, limits, strict } =
    metric;
  return [
    name,
    kind,
    tier,
    unit,
    worse,
    toleranceText(margin, metric),
    strict ? "proof beyond the margin" : toleranceText(guard, metric),
    catastrophic === null ? "–" : toleranceText(catastrophic, metric),
    metric.components.map((component) => componentText(component, metric)).join(", "),
    limits.length === 0 ? "–" : limits.map(limitText).join(", "),
    formatNumber(weight),
    String(minUnits),
    perUnit,
  ];
}

function componentText(component: Metric["components"][number], { tailMargin, superiorityMargin }: Metric): string {
  if (component === "tail") return `tail (margin ${formatPercent(tailMargin)})`;
  return component === "body" && superiorityMargin !== null
    ? `body (superiority ${formatNumber(superiorityMargin)})`
    : component;
}

function toleranceText({ relative, absolute }: Tolerance, { kind, measurementUnit }: Metric): string {
  const parts = [
    ...(relative === null ? [] : [formatPercent(relative)]),
    ...(absolute === null
      ? []
      : [
          kind === "errors"
            ? `${formatNumber(100 * absolute)} pp`
            : `${formatNumber(absolute)}${measurementUnit === null ? "" : ` ${measurementUnit}`}`,
        ]),
  ];
  return parts.length === 2 ? `looser of ${parts.join(" and ")}` : (parts[0] ?? "–");
}

function limitText({ statistic, max, min, check, burn }: Limit): string {
  const sides = [...(min === null ? [] : [`≥ ${min}`]), ...(max === null ? [] : [`≤ ${max}`])];
  return `${formatStatistic(statistic, burn)} ${sides.join(" and ")}${check === "point" ? " (plain value)" : ""}`;
}

function unitOf({ metrics }: Analysis, name: string): string | null {
  return metrics.find((metric) => metric.name === name)?.measurementUnit ?? null;
}

function detectabilityLines({ metric, cases, notes }: Detectability, unit: string | null): string[] {
  return [
    metric,
    ...toColumns(cases.map((one) => caseCells(one, unit))).map((line) => `  ${line}`),
    ...notes.map((note) => `  ${note}`),
  ];
}

function caseCells(
  { assumption, scale, margin, detects, unitsToProveSafe }: DetectabilityCase,
  unit: string | null,
): string[] {
  const change = (value: number) => formatChange(value, scale, unit).replace(/^\+/, "");
  return [
    assumption,
    `margin ${change(margin)}`,
    `${Math.ceil(unitsToProveSafe)} units per arm prove an unchanged candidate safe (80%)`,
    detects === null ? "" : `smallest change rolled back (80%) ${change(detects)}`,
  ];
}

function chanceRows(detectability: readonly Detectability[]): string[][] {
  const shown = detectability.filter(({ chances }) => chances.length > 0);
  const [first] = shown;
  if (first === undefined) return [];
  const cell = ({ rollback, safe }: Chance) => `${whole(rollback)} / ${whole(safe)}`;
  return [
    ["true change, in margins", ...first.chances.map(({ margins }) => formatNumber(margins))],
    ...shown.map(({ metric, chances }) => [metric, ...chances.map(cell)]),
  ];
}

const whole = (chance: number): string =>
  chance > 0 && chance < 0.0005 ? "< 0.1%" : `${Number((100 * chance).toFixed(1))}%`;

const time = (seconds: number): string => toDuration(Number(seconds.toFixed(3)));
