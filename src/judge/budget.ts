import type { Analysis, Component, Metric } from "../model/analysis.ts";

/**
 * How the rollback budget is shared: over the metrics that may roll back by their weights, and inside a metric over its components and limits.
 * A rollback happens when any of them speaks, so their errors add up to the budget at most (Bonferroni). Promotion needs all metrics to be safe,
 * so each is tested at the whole promote budget (intersection-union).
 */

/** The typical value carries most of a metric's share; mean, tail and each limit guard what it cannot see. */
const COMPONENT_WEIGHTS: Readonly<Record<Component, number>> = { body: 2, mean: 1, tail: 1, rate: 2 };
const LIMIT_WEIGHT = 1;

/** Shares of the rollback budget of one metric. */
export interface MetricShares {
  readonly component: Readonly<Record<Component, number>>;
  /** Of one side of one limit. */
  readonly limit: number;
}

/**
 * @param components  those that the shape of the data allows.
 * @param proven      how many sides of limits are tested.
 */
export function sharesOf(
  metric: Metric,
  { metrics, policy, budgets }: Analysis,
  components: readonly Component[],
  proven: number,
): MetricShares {
  const all = metrics.filter((one) => mayRollBack(one, policy)).reduce((sum, { weight }) => sum + weight, 0);
  // An advisory metric spends nothing: it is shown as if it had the whole budget.
  const own = mayRollBack(metric, policy) ? (budgets.rollback * metric.weight) / all : budgets.rollback;
  const claims = components.reduce((sum, component) => sum + COMPONENT_WEIGHTS[component], 0) + proven * LIMIT_WEIGHT;
  const unit = claims === 0 ? 0 : own / claims;
  return {
    component: {
      body: unit * COMPONENT_WEIGHTS.body,
      mean: unit * COMPONENT_WEIGHTS.mean,
      tail: unit * COMPONENT_WEIGHTS.tail,
      rate: unit * COMPONENT_WEIGHTS.rate,
    },
    limit: unit * LIMIT_WEIGHT,
  };
}

export function mayRollBack({ tier }: Metric, policy: Analysis["policy"]): boolean {
  return tier === "critical" || (tier === "required" && policy === "any");
}

/** Sides of limits that are tested within the budgets. */
export function provenSides({ limits }: Metric): number {
  return limits.reduce(
    (sum, { max, min, check }) => sum + (check === "proven" ? Number(max !== null) + Number(min !== null) : 0),
    0,
  );
}
