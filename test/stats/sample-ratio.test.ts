import { describe, expect, test } from "vitest";
import {
  SAMPLE_RATIO_ALPHA,
  sampleRatioAlarm,
  sampleRatioTest,
  startSampleRatio,
  updateSampleRatio,
} from "../../src/stats/sample-ratio.ts";
import { goldenCases, misses } from "./golden.ts";

describe("sampleRatioTest", () => {
  test.each(goldenCases("drift", "sampleRatioTest"))("agrees with scipy: %s", (_, golden) => {
    const { counts, weights } = golden.input as Record<string, number[]>;
    expect(misses({ ...sampleRatioTest(counts, weights) }, golden)).toEqual([]);
  });

  test("finds half a per cent missing among 1.6 million", () => {
    expect(sampleRatioTest([821_588, 815_482], [1, 1]).p).toBeLessThan(SAMPLE_RATIO_ALPHA);
  });
});

describe("updateSampleRatio", () => {
  test.each(goldenCases("drift", "updateSampleRatio"))("agrees with 40 digits: %s", (_, golden) => {
    const { looks, weights, concentration } = golden.input as {
      looks: number[][];
      weights: number[][];
      concentration: number;
    };
    const state = looks.reduce(
      (before, counts, look) => updateSampleRatio(before, counts, weights[look], { concentration }),
      startSampleRatio(looks[0].length),
    );
    expect(misses({ ...state }, golden)).toEqual([]);
  });

  test("its expectation under the configured ratio is exactly 1, whatever happened before", () => {
    const before = updateSampleRatio(startSampleRatio(2), [12, 3], [80, 20]);
    // Every way in which seven more units can fall at weights 30 : 70.
    let expectation = 0;
    let ways = 1;
    for (let k = 0; k <= 7; k++) {
      const { logE } = updateSampleRatio(before, [k, 7 - k], [30, 70]);
      expectation += ways * 0.3 ** k * 0.7 ** (7 - k) * Math.exp(logE - before.logE);
      ways = (ways * (7 - k)) / (k + 1);
    }
    expect(expectation).toBeCloseTo(1, 11);
  });

  test("splitting a look at constant weights changes nothing, and the state survives JSON", () => {
    const once = updateSampleRatio(startSampleRatio(3), [40, 30, 60], [1, 1, 2]);
    const first = updateSampleRatio(startSampleRatio(3), [15, 30, 0], [1, 1, 2]);
    const revived = JSON.parse(JSON.stringify(first)) as typeof first;
    const twice = updateSampleRatio(revived, [25, 0, 60], [2, 2, 4]);
    expect(twice.logE).toBeCloseTo(once.logE, 10);
    expect(twice.counts).toEqual([40, 30, 60]);
  });

  test("an alarm stays on after the ratio has recovered", () => {
    let state = updateSampleRatio(startSampleRatio(2), [300, 100], [1, 1]);
    expect(sampleRatioAlarm(state)).toBe(true);
    state = updateSampleRatio(state, [5000, 5200], [1, 1]);
    expect(state.logE).toBeLessThan(Math.log(1 / SAMPLE_RATIO_ALPHA));
    expect(sampleRatioAlarm(state)).toBe(true);
  });

  test("faults are named", () => {
    const state = startSampleRatio(2);
    expect(() => updateSampleRatio(state, [1, 2, 3], [1, 1, 1])).toThrow(/counts has 3 values and state.counts has 2/);
    expect(() => updateSampleRatio(state, [1, 2], [1, 0])).toThrow(/weights\[1\] is 0/);
    expect(() => startSampleRatio(1)).toThrow(/arms is 1/);
  });
});
