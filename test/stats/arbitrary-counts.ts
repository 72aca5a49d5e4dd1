import fc from "fast-check";
import type { Proportion, Rate } from "../../src/stats/counts.ts";

/** Events among 1 to `most` trials, for property tests. */
export const proportions = (most: number): fc.Arbitrary<Proportion> =>
  fc
    .integer({ min: 1, max: most })
    .chain((trials) => fc.integer({ min: 0, max: trials }).map((events) => ({ events, trials })));

/** Up to 50 events over 0.5 to 1000. */
export const rates: fc.Arbitrary<Rate> = fc.record({
  events: fc.integer({ min: 0, max: 50 }),
  exposure: fc.integer({ min: 1, max: 2000 }).map((half) => half / 2),
});
