import { describe, expect, test } from "vitest";
import { brunnerMunzel } from "../../src/stats/brunner-munzel.ts";
import { superiority } from "../../src/stats/superiority.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

test.each(goldenCases("superiority", "brunnerMunzel"))("golden: %s", (_, golden) => {
  const [candidate, baseline] = [goldenSample(golden.input["candidate"]), goldenSample(golden.input["baseline"])];
  const p = (alternative: "two-sided" | "greater" | "less") => brunnerMunzel(candidate, baseline, { alternative }).p;
  const { statistic } = brunnerMunzel(candidate, baseline);
  const got = { statistic, "two-sided": p("two-sided"), greater: p("greater"), less: p("less") };
  expect(misses(got, golden)).toEqual([]);
});

describe("what it returns", () => {
  test("the example of the docstring holds, with the same theta and variance as superiority", () => {
    const [candidate, baseline] = [
      [19, 22, 16, 29, 24],
      [20, 11, 17, 12],
    ];
    const { p, estimate, variance } = brunnerMunzel(candidate, baseline);
    expect(p).toBeCloseTo(0.0396673, 7);
    const decides = superiority(candidate, baseline);
    expect(decides.estimate).toBe(estimate);
    expect(decides.variance).toBeCloseTo(variance, 15);
  });

  test("without variance nothing is proven: constants, full separation", () => {
    expect(brunnerMunzel([4, 4, 4], [4, 4])).toMatchObject({ estimate: 0.5, variance: 0, p: 1, lower: -Infinity });
    expect(brunnerMunzel([4, 5, 6], [1, 2])).toMatchObject({ estimate: 1, variance: 0, p: 1, upper: Infinity });
  });

  test("faults are named", () => {
    expect(() => brunnerMunzel([1], [1, 2])).toThrow(new RangeError("candidate has 1 values, fewer than the 2 needed"));
    expect(() => brunnerMunzel([1, 2], [])).toThrow(new RangeError("baseline is empty"));
    expect(() => brunnerMunzel([1, 2], [1, NaN])).toThrow(new RangeError("baseline[1] is NaN"));
  });
});
