import type { Finding } from "../model/finding.ts";
import { normalQuantileUpper } from "../stats/distributions/normal.ts";

/** What the newest stage has seen. */
export interface StageSeen {
  /** The candidate's share of the traffic then, in (0, 1]. */
  readonly weight: number;
  /** How long it was looked at, above 0. */
  readonly seconds: number;
  /** Of its own evidence. */
  readonly findings: readonly Finding[];
}

/** What the next stage has time for. */
export interface StageAhead {
  readonly seconds: number;
  readonly minUnits: number;
  readonly promoteBudget: number;
}

const POWER = 0.8;

/**
 * The smallest share of the traffic at which the next stage could prove an unchanged candidate safe with 80 %, if traffic and spread stay as they were: for advice only.
 *
 * The evidence of a comparison grows with w (1 − w) of the traffic; the interval that decided, with its square root. At half of the traffic there is most.
 *
 * @returns a share in (0, 1/2]; `none` where no share would do; null where nothing is known, as for metrics by the step, which see no units.
 */
export function smallestWeight(seen: StageSeen, ahead: StageAhead): number | "none" | null {
  if (seen.weight >= 1 || seen.seconds <= 0) return null;
  const shares = seen.findings.flatMap((finding): number[] => {
    const { tier, unit, units, effect } = finding;
    if (tier === "advisory" || unit === "step" || units === null || units.candidate <= 0) return [];
    if (effect === null || effect.margin <= 0) return [];
    const traffic = (units.candidate / seen.weight / seen.seconds) * ahead.seconds;
    const sides = [effect.lower, effect.upper].flatMap((bound) =>
      bound === null ? [] : [Math.abs(bound - effect.estimate)],
    );
    if (sides.length === 0) return [];
    const z = normalQuantileUpper(ahead.promoteBudget);
    const wanted = effect.margin / (1 + normalQuantileUpper(1 - POWER) / z);
    const evidence = (units.candidate * (1 - seen.weight) * (Math.min(...sides) / wanted) ** 2) / traffic;
    const least = ahead.minUnits / traffic;
    const root = 1 - 4 * evidence;
    return [root < 0 || least > 0.5 ? Infinity : Math.max((1 - Math.sqrt(root)) / 2, least)];
  });
  if (shares.length === 0) return null;
  const share = Math.max(...shares);
  return Number.isFinite(share) ? share : "none";
}
