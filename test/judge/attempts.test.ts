import { expect, test } from "vitest";
import { sharesOfRun } from "../../src/judge/attempts.ts";

const NONE = { rollback: 0, promote: 0 };

test("a declared stage has its share whatever the other stages used, and its attempts share it", () => {
  expect(sharesOfRun(0.2, { stage: NONE, rollout: NONE })).toEqual({ rollback: 0.8 * 0.2, promote: 0.8 });
  const others = { rollback: 0.64, promote: 0 };
  expect(sharesOfRun(0.2, { stage: NONE, rollout: others }).rollback).toBeCloseTo(0.16, 12);
  const paused = { rollback: 0.16, promote: 0.8 };
  const second = sharesOfRun(0.2, { stage: paused, rollout: { rollback: 0.8, promote: 0.8 } });
  expect(second.rollback).toBeCloseTo(0.8 * 0.04, 12);
  expect(second.promote).toBeCloseTo(0.8 * 0.2, 12);
});

test("however often each of five stages is tried, their shares never add up to more than the budget", () => {
  let all = 0;
  for (let stage = 0; stage < 5; stage++) {
    let own = 0;
    for (let attempt = 0; attempt < 6; attempt++) {
      const { rollback } = sharesOfRun(1 / 5, {
        stage: { rollback: own, promote: 0 },
        rollout: { rollback: all, promote: 0 },
      });
      own += rollback;
      all += rollback;
    }
  }
  expect(all).toBeGreaterThan(0.999);
  // Each attempt beyond what is left has a millionth, which keeps its boundaries finite.
  expect(all).toBeLessThan(1 + 30e-6);
});

test("stages that nobody declared share one budget as attempts do", () => {
  const first = sharesOfRun(null, { stage: NONE, rollout: NONE });
  expect(first).toEqual({ rollback: 0.8, promote: 0.8 });
  // Promoted: the next stage has the promote budget anew, and of the rollback budget what is left.
  const next = sharesOfRun(null, { stage: NONE, rollout: { rollback: 0.8, promote: 0 } });
  expect(next.rollback).toBeCloseTo(0.16, 12);
  expect(next.promote).toBe(0.8);
});

test("stages that were declared anew in the middle have no more than is left in all", () => {
  const used = { rollback: 0.9, promote: 0 };
  expect(sharesOfRun(0.5, { stage: NONE, rollout: used }).rollback).toBeCloseTo(0.08, 12);
  expect(sharesOfRun(0.5, { stage: NONE, rollout: { rollback: 1.2, promote: 0 } }).rollback).toBe(1e-6);
});
