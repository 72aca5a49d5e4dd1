import { describe, expect, test } from "vitest";
import { classify } from "../../src/kayenta/classify.ts";
import { resolveConfiguration, type KayentaConfigurationInput } from "../../src/kayenta/metric.ts";

const classOf = (
  experiment: readonly number[],
  control: readonly number[],
  configuration: KayentaConfigurationInput = {},
  options: Parameters<typeof classify>[4] = {},
) =>
  classify(
    "m",
    Float64Array.from(experiment),
    Float64Array.from(control),
    resolveConfiguration(configuration),
    options,
  );
const labelOf = (...args: Parameters<typeof classOf>) => classOf(...args).classification;

const steps = (n: number, from = 0): number[] => Array.from({ length: n }, (_, step) => from + step / n);
const LOW = steps(30, 1);
const HIGH = steps(30, 3);
/** What upstream's own tests use; the judge itself is fixed at 0.25 and 0.98. */
const LOOSE = { tolerance: 0.1, confidence: 0.95 };

describe("configuration", () => {
  test("defaults are Kayenta's, and no effect is 0.5 on the scale of cles", () => {
    expect(resolveConfiguration()).toEqual({
      direction: "either",
      nanStrategy: "remove",
      critical: false,
      mustHaveData: false,
      muted: false,
      outliers: { strategy: "keep", outlierFactor: 3 },
      effectSize: {
        measure: "meanRatio",
        allowedIncrease: 1,
        allowedDecrease: 1,
        criticalIncrease: 1,
        criticalDecrease: 1,
      },
    });
    expect(resolveConfiguration({ effectSize: { measure: "cles", allowedIncrease: 0.7 } }).effectSize).toEqual({
      measure: "cles",
      allowedIncrease: 0.7,
      allowedDecrease: 0.5,
      criticalIncrease: 0.5,
      criticalDecrease: 0.5,
    });
  });
});

describe("missing data", () => {
  test("on either side is Nodata", () => {
    const nodata = {
      classification: "Nodata",
      reason: "Missing data for m",
      ratio: 1,
      critical: false,
      evidence: null,
    };
    expect(classOf([], LOW)).toEqual(nodata);
    expect(classOf(LOW, [])).toEqual(nodata);
    expect(classOf([], [])).toEqual(nodata);
  });

  test("of a metric that must have data fails it without being critical", () => {
    expect(classOf([], LOW, { mustHaveData: true })).toMatchObject({
      classification: "NodataFailMetric",
      reason: "Missing data for m",
      critical: false,
    });
  });

  test("of a critical metric is critical, and mustHaveData is not read", () => {
    for (const mustHaveData of [false, true])
      expect(classOf([], LOW, { critical: true, mustHaveData })).toMatchObject({
        classification: "Nodata",
        critical: true,
      });
  });

  test("passes under replace, even when data must be there and the metric is critical", () => {
    expect(classOf([], LOW, { nanStrategy: "replace", mustHaveData: true, critical: true })).toMatchObject({
      classification: "Pass",
      reason: null,
      critical: false,
    });
  });
});

describe("without a test", () => {
  test("the same values in any order pass as identical", () => {
    expect(classOf([3, 1, 2], [1, 2, 3])).toEqual({
      classification: "Pass",
      reason: "The Canary and Baseline data are identical",
      ratio: 1,
      critical: false,
      evidence: null,
    });
  });

  test("one value on both sides passes, however often it comes, without a reason", () => {
    expect(classOf([0, 0, 0], [0, 0])).toMatchObject({ classification: "Pass", reason: null, ratio: 1 });
  });
});

describe("two different constants", () => {
  test("are told apart by noise, and judged alike every time", () => {
    const first = classOf(Array<number>(5).fill(10), Array<number>(5).fill(1));
    expect(first.classification).toBe("High");
    expect(first.ratio).toBeCloseTo(10, 3);
    expect(first.evidence?.lower).toBeCloseTo(9, 3);
    expect(classOf(Array<number>(5).fill(10), Array<number>(5).fill(1))).toEqual(first);
  });

  test("get no noise where they are 0, and the ratio cannot be told", () => {
    const { classification, ratio } = classOf(Array<number>(5).fill(10), Array<number>(5).fill(0));
    expect(classification).toBe("High");
    expect(ratio).toBeNaN();
  });

  test("of one point each are an Error that is never critical", () => {
    expect(classOf([103], [98], { critical: true })).toEqual({
      classification: "Error",
      reason: "Metric Classification Failed",
      ratio: null,
      critical: false,
      evidence: null,
    });
  });
});

describe("direction", () => {
  test("either fails both ways", () => {
    expect(classOf(HIGH, LOW)).toMatchObject({ classification: "High", reason: "m was classified as High" });
    expect(classOf(LOW, HIGH)).toMatchObject({ classification: "Low", reason: "m was classified as Low" });
  });

  test("increase fails only upwards, decrease only downwards", () => {
    expect(labelOf(HIGH, LOW, { direction: "increase" })).toBe("High");
    expect(labelOf(LOW, HIGH, { direction: "increase" })).toBe("Pass");
    expect(labelOf(HIGH, LOW, { direction: "decrease" })).toBe("Pass");
    expect(labelOf(LOW, HIGH, { direction: "decrease" })).toBe("Low");
  });
});

describe("tolerance", () => {
  test("is a quarter of the estimated shift, so the interval must lie beyond that, not beyond 0", () => {
    const { evidence } = classOf(HIGH, LOW);
    expect(evidence?.bound).toBe(0.25 * Math.abs(evidence?.estimate ?? NaN));
    // Above 0, yet not above a quarter of the estimate.
    const unclear = classOf([...Array<number>(7).fill(100), 1, 1, 1], Array<number>(10).fill(1));
    expect(unclear.evidence?.lower).toBeGreaterThan(0);
    expect(unclear.evidence?.lower).toBeLessThan(unclear.evidence?.bound ?? NaN);
    expect(unclear.classification).toBe("Pass");
  });
});

describe("effect size", () => {
  const experiment = [20, 22, 21, 25, 30];
  const control = [1, 2.2, 1.1, 2.5, 3];

  test("below what is allowed vetoes High", () => {
    expect(labelOf(experiment, control, { effectSize: { allowedIncrease: 5 } }, LOOSE)).toBe("High");
    expect(labelOf(experiment, control, { effectSize: { allowedIncrease: 13 } }, LOOSE)).toBe("Pass");
  });

  test("above what is allowed vetoes Low", () => {
    expect(labelOf(control, experiment, { effectSize: { allowedDecrease: 0.5 } }, LOOSE)).toBe("Low");
    expect(labelOf(control, experiment, { effectSize: { allowedDecrease: 0.01 } }, LOOSE)).toBe("Pass");
  });

  test("at what is allowed fails", () => {
    const { ratio } = classOf(experiment, control);
    expect(labelOf(experiment, control, { effectSize: { allowedIncrease: ratio ?? NaN } }, LOOSE)).toBe("High");
  });

  test("that cannot be computed vetoes nothing", () => {
    const centred = [-1, 0, 1];
    const { classification, ratio } = classOf(steps(30, 5), [...centred, ...centred, ...centred, ...centred], {
      effectSize: { allowedIncrease: 1000 },
    });
    expect(ratio).toBeNaN();
    expect(classification).toBe("High");
  });

  test("by cles is the share of pairs in which the experiment is larger, and the ratio is reported all the same", () => {
    const cles = classOf(experiment, control, { effectSize: { measure: "cles" } }, LOOSE);
    expect(cles.evidence?.effectSize).toBe(1);
    expect(cles.ratio).toBeCloseTo(12.04, 2);
    expect(cles.classification).toBe("High");
  });
});

describe("critical", () => {
  const experiment = [20, 22, 21, 25, 30];
  const control = [1, 2.2, 1.1, 2.5, 3];

  test("a failing critical metric is critical, and its reason says so", () => {
    expect(classOf(HIGH, LOW, { critical: true })).toMatchObject({
      classification: "High",
      critical: true,
      reason: "The metric m was classified as High (Critical)",
    });
    expect(classOf(LOW, HIGH, { critical: true })).toMatchObject({
      classification: "Low",
      critical: true,
      reason: "The metric m was classified as Low (Critical)",
    });
  });

  test("an effect short of the critical one fails without being critical", () => {
    const effectSize = { allowedIncrease: 5, criticalIncrease: 13 };
    expect(classOf(experiment, control, { critical: true, effectSize }, LOOSE)).toMatchObject({
      classification: "High",
      critical: false,
      reason: "m was classified as High",
    });
  });

  test("an effect beyond the critical one but short of the allowed one passes", () => {
    const effectSize = { allowedIncrease: 13, criticalIncrease: 5 };
    expect(classOf(experiment, control, { critical: true, effectSize }, LOOSE)).toMatchObject({
      classification: "Pass",
      critical: false,
    });
  });

  test("a passing critical metric is not critical", () => {
    expect(
      classOf(
        LOW,
        LOW.map((value) => value + 0.001),
        { critical: true },
      ),
    ).toMatchObject({
      classification: "Pass",
      critical: false,
    });
  });
});

describe("worked numbers of Kayenta's tests and issues", () => {
  test.each([
    ["one of five ten times as large", [1, 1, 1, 1, 10], [1, 1, 1, 1, 1], "Pass", 2.8],
    ["one of five is 0", [0, 1, 1, 1, 1], [1, 1, 1, 1, 1], "Pass", 0.8],
    ["anything against zeros", [54.9, 54.5, 55.1, 55.6, 57.4], [0, 0, 0, 0, 0], "High", NaN],
  ] as const)("%s", (_, experiment, control, label, ratio) => {
    const got = classOf(experiment, control, {}, LOOSE);
    expect(got.classification).toBe(label);
    expect(got.ratio).toBe(ratio);
  });

  test.each([
    [
      "7 of 10 points a hundred times as large pass",
      [...Array<number>(7).fill(100), 1, 1, 1],
      Array<number>(10).fill(1),
      "Pass",
    ],
    ["8 of 10 do not", [...Array<number>(8).fill(100), 1, 1], Array<number>(10).fill(1), "High"],
    ["2 against 2, apart, fail", [10, 11], [5, 6], "High"],
    ["5 against 5, as far apart, pass", [10, 11, 12, 13, 14], [5, 6, 7, 8, 9], "Pass"],
    ["an infinity among the experiment passes", [1, 2, 3, 4, 5, Infinity], [1, 2, 3, 4, 5, 6], "Pass"],
  ] as const)("%s", (_, experiment, control, label) => {
    expect(labelOf(experiment, control)).toBe(label);
  });

  test("errors that double pass as a ratio and fail as a percentage: the class hangs on the measurement unit", () => {
    const control = steps(60, 0.5).map((value) => value * 2e-5);
    const experiment = control.map((value) => 2 * value);
    expect(labelOf(experiment, control)).toBe("Pass");
    const inPercent = (values: readonly number[]) => values.map((value) => 100 * value);
    expect(labelOf(inPercent(experiment), inPercent(control))).toBe("High");
  });
});
