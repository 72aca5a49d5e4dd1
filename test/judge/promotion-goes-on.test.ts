import { expect, test } from "vitest";
import { judge } from "../../src/judge/judge.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import { toStoredState } from "../../src/model/look-state.ts";
import type { Samples } from "../../src/model/samples.ts";
import { seeded } from "../../src/stats/random.ts";
import { play, START_SECONDS } from "./play.ts";
import { analysisWith, timedRows } from "./samples.ts";

/** Runs that a promotion does not end: what watches a rollout goes on while the rollout does. */

const MINUTES = 40;
const METRIC = "- { name: failures, kind: errors, margin: 5pp, source: s, query: { value: v, at: at } }";
const PLANS = {
  scheduled: "plan: { mode: scheduled, duration: 40m, every: 2m, settle: 0s }",
  continuous: "plan: { mode: continuous, maxDuration: 40m, every: 2m, settle: 0s }",
};

/** Fifty units a minute that fail at this rate. */
function failing(seed: number, rate: (minute: number) => number): Samples {
  const random = seeded(seed);
  const minutes = Array.from({ length: MINUTES * 50 }, (_, row) => row / 50);
  return timedRows(
    Float64Array.from(minutes, (minute) => (random() < rate(minute) ? 1 : 0)),
    Float64Array.from(minutes, (minute) => START_SECONDS + 60 * minute),
  );
}

const even = () => 0.05;
const failsLate = (minute: number) => (minute < 25 ? 0.05 : 0.6);

test.each(Object.entries(PLANS))(
  "in a %s plan a look that promotes says so, gives no verdict and is followed by the next; only the last one ends the run",
  async (_, plan) => {
    const decisions: string[] = [];
    await play(analysisWith(METRIC, plan), [{ baseline: failing(1, even), candidate: failing(2, even) }], {
      onLook(run, gathered, previous, now, ending) {
        const watched = judge({ ...run, promotionEnds: false }, gathered, previous, now);
        const { decision, verdict } = watched.report;
        decisions.push(`${decision} ${verdict}`);
        expect(canonicalJson({ ...watched.report, verdict: null })).toBe(
          canonicalJson({ ...ending.report, verdict: null }),
        );
        if (verdict !== null) {
          expect(watched.nextAt).toBeNull();
          expect(watched.state.metrics).toEqual({});
          return;
        }
        expect(watched.nextAt).not.toBeNull();
        expect(toStoredState(watched.state)).toBe(toStoredState(ending.state));
      },
    });
    const promotions = decisions.filter((one) => one === "promote null");
    expect(promotions.length).toBeGreaterThan(2);
    expect(decisions.at(-1)).toBe("promote promote");
    expect(new Set(decisions)).toEqual(new Set(["continue null", "promote null", "promote promote"]));
  },
);

test.each(Object.entries(PLANS))("in a %s plan harm that comes after a promotion rolls back", async (_, plan) => {
  const verdicts: (string | null)[] = [];
  const decisions: string[] = [];
  await play(analysisWith(METRIC, plan), [{ baseline: failing(1, even), candidate: failing(2, failsLate) }], {
    onLook(run, gathered, previous, now) {
      const { verdict, decision } = judge({ ...run, promotionEnds: false }, gathered, previous, now).report;
      verdicts.push(verdict);
      decisions.push(decision);
    },
  });
  const first = verdicts.findIndex((verdict) => verdict !== null);
  expect(decisions.slice(0, first)).toContain("promote");
  expect(verdicts[first]).toBe("rollback");
});

test("a watch that ends undecided pauses, whatever an earlier look decided", async () => {
  // Safe by 25 minutes; then worse by more than the margin, on too few units to prove harm.
  const slightly = (minute: number) => (minute < 25 ? 0.05 : 0.22);
  const looks: string[] = [];
  const metric = METRIC.replace("margin: 5pp", "margin: 5pp, guard: 60pp");
  await play(analysisWith(metric, PLANS.scheduled), [{ baseline: failing(1, even), candidate: failing(2, slightly) }], {
    onLook(run, gathered, previous, now) {
      const { verdict, decision } = judge({ ...run, promotionEnds: false }, gathered, previous, now).report;
      looks.push(`${decision} ${verdict}`);
    },
  });
  expect(looks).toContain("promote null");
  expect(looks.at(-1)).toBe("pause pause");
});
