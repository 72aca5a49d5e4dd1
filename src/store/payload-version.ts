import type { Run } from "../model/run.ts";

/** The newest form of snapshot and state that this program reads. Runs of a newer one are left to the newer workers of an upgrade. */
export const PAYLOAD_VERSION = 2;

/** The oldest form that holds this run whole: a worker that knows only older ones would end it with its first promotion. */
export function payloadVersionOf({ promotionEnds }: Run): number {
  return promotionEnds === false ? 2 : 1;
}
