import type { Run } from "../model/run.ts";

/** The newest form of snapshot and state that this program reads. Runs of a newer one are left to the newer workers of an upgrade. */
export const PAYLOAD_VERSION = 2;

/**
 * The oldest form that holds this run whole. A worker that knows only older ones would end it with its first promotion, would judge it without the evidence of the stages before it, or would not
 * know Kayenta's own settings of a metric.
 */
export function payloadVersionOf({ promotionEnds, carried, analysis }: Run): number {
  return promotionEnds === false ||
    carried !== undefined ||
    analysis.metrics.some(({ kayenta }) => kayenta !== undefined)
    ? 2
    : 1;
}
