import { TouchstoneError } from "../errors.ts";
import { sharesOfRun } from "../judge/attempts.ts";
import { withShares } from "../judge/judge.ts";
import { mayRollBack, provenSides, sharesOf } from "../judge/budget.ts";
import { clockOf, firstLookAt } from "../judge/clock.ts";
import { formatStatistic } from "../judge/format.ts";
import type { Analysis, Metric } from "../model/analysis.ts";
import { canonicalJson } from "../model/canonical.ts";
import { readAnalysis, type ReadAnalysis } from "../model/read-analysis.ts";
import { analysisOfStage } from "../model/resolve-stages.ts";
import { epochSeconds, toInstant } from "../model/time.ts";
import { componentsOf, detectabilityOf, type Detectability, type Looks } from "./detectability.ts";
import { toExplanationText } from "./explanation-text.ts";
import { readText } from "./judge-files.ts";

/** A claim that a run tests, with its budget over all looks. */
export interface ExplainedClaim {
  readonly metric: string;
  /** `mean is worse`, `p95 above 4 is breached`, `body is safe`. */
  readonly claim: string;
  /** none: of a metric that cannot roll back; it is tested at the share, and spends nothing. */
  readonly budget: "rollback" | "promote" | "none";
  readonly share: number;
}

export interface Explanation {
  readonly analysis: Analysis;
  readonly looks: Looks;
  readonly spending: { readonly rollback: string; readonly promote: string };
  readonly claims: readonly ExplainedClaim[];
  readonly units: number | null;
  readonly detectability: readonly Detectability[];
  readonly betweenNoneAndMargin: string;
}

/** What is in force, in full: for whoever wants to know why a run decides as it does, before it runs. */
export async function explain(
  path: string,
  {
    units,
    stage,
    output,
  }: { readonly units: number | null; readonly stage: string | null; readonly output: "table" | "json" },
): Promise<string> {
  const read = readAnalysis(await readText(path), path);
  const analysis = stage === null ? read.analysis : ofStage(read, stage);
  const looks = looksOf(analysis);
  const explanation: Explanation = {
    analysis,
    looks,
    spending: spendingOf(analysis),
    claims: analysis.metrics.flatMap((metric) => claimsOf(metric, analysis)),
    units,
    detectability: analysis.metrics.map((metric) => detectabilityOf(metric, analysis, looks, units)),
    betweenNoneAndMargin: BETWEEN,
  };
  return output === "json" ? `${canonicalJson(explanation)}\n` : toExplanationText(explanation);
}

/** As a first attempt at this stage is judged. @throws TouchstoneError `invalid_request` when no stage has the name. */
function ofStage({ document, analysis }: ReadAnalysis, name: string): Analysis {
  const stage = analysis.stages?.find((one) => one.name === name);
  if (stage === undefined) {
    const names = analysis.stages?.map((one) => one.name).join(", ") ?? "none";
    throw new TouchstoneError("invalid_request", `${analysis.name} has no stage ${name}; it declares ${names}`);
  }
  const unused = { rollback: 0, promote: 0 };
  const shares = sharesOfRun(stage.rollbackShare, { stage: unused, rollout: unused });
  return withShares(analysisOfStage(document, analysis, name), shares);
}

const BETWEEN =
  "The rollback budget binds where the true change is none, the promote budget where it is the margin. Between none and the margin no budget binds: a candidate that is worse by less than the margin may be promoted, rolled back or paused. The chances below say how often.";

const WITHOUT_END =
  "e-values against 1 / budget, valid at every look without an end: exact for errors of units and counts and for the mean of scores, of a normal mixture and asymptotic for the rest";

const SPENDING: Readonly<Record<Analysis["plan"]["mode"], Explanation["spending"]>> = {
  once: { rollback: "all at the one look", promote: "all at the one look" },
  scheduled: {
    rollback: "alpha spending over the calendar, the power 1.5 of the fraction passed (Kim and DeMets): early",
    promote: "alpha spending over the calendar in O'Brien and Fleming's shape: late",
  },
  continuous: {
    rollback: WITHOUT_END,
    promote: WITHOUT_END,
  },
};

/** A burn limit is a new question at each look. */
const SLIDING: Readonly<Record<Analysis["plan"]["mode"], string>> = {
  once: "",
  scheduled: "; a burn limit, whose windows slide, has at each look what that look adds",
  continuous: "; a burn limit, whose windows slide, has at look n the share 6 / (π n)² of it",
};

function spendingOf({ plan: { mode }, metrics }: Analysis): Explanation["spending"] {
  const { rollback, promote } = SPENDING[mode];
  const sliding = metrics.some(({ limits }) => limits.some(({ burn }) => burn !== undefined)) ? SLIDING[mode] : "";
  return { rollback: `${rollback}${sliding}`, promote: `${promote}${sliding}` };
}

/** The looks of a run that starts at the epoch, by the judge's own clock. */
function looksOf(analysis: Analysis): Looks {
  const window = { start: toInstant(0), end: toInstant(analysis.plan.durationSeconds) };
  const edges: number[] = [];
  const fractions: number[] = [];
  let now: string | null = firstLookAt(analysis, window);
  while (now !== null) {
    const clock = clockOf({ analysis, window }, now);
    if (clock === null) throw new RangeError("a run with a window has a clock");
    edges.push(clock.edge);
    fractions.push(clock.fraction);
    // A look that is due no later than this one would be the same look.
    now = clock.nextAt !== null && epochSeconds(clock.nextAt) > epochSeconds(now) ? clock.nextAt : null;
  }
  return { count: edges.length, edges, settleSeconds: analysis.plan.settleSeconds, fractions };
}

function claimsOf(metric: Metric, analysis: Analysis): ExplainedClaim[] {
  const components = componentsOf(metric);
  const shares = sharesOf(metric, analysis, components, provenSides(metric));
  const { name } = metric;
  const promote = analysis.budgets.promote;
  const better = analysis.superiority.includes(name);
  const decides = metric.tier !== "advisory";
  const harm = mayRollBack(metric, analysis.policy) ? "rollback" : "none";
  const safety = decides ? "promote" : "none";
  return [
    ...components.flatMap((component): ExplainedClaim[] => [
      { metric: name, claim: `${component} is worse`, budget: harm, share: shares.component[component] },
      { metric: name, claim: `${component} is ${better ? "better" : "safe"}`, budget: safety, share: promote },
    ]),
    ...metric.limits.flatMap(({ statistic, max, min, check, burn }) =>
      (["max", "min"] as const).flatMap((side): ExplainedClaim[] => {
        const level = side === "max" ? max : min;
        if (level === null || check === "point") return [];
        const limit = `${formatStatistic(statistic, burn)} ${side} ${level}`;
        return [
          { metric: name, claim: `${limit} is breached`, budget: harm, share: shares.limit },
          { metric: name, claim: `${limit} holds`, budget: safety, share: promote },
        ];
      }),
    ),
  ];
}
