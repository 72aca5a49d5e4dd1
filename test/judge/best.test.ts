import { describe, expect, test } from "vitest";
import { chooseBest } from "../../src/judge/best.ts";
import type { CandidatePair } from "../../src/model/comparison.ts";
import { analysisWith } from "./samples.ts";

const ANALYSIS = analysisWith(
  `- { name: quality, kind: score, scale: [1, 5], source: s, query: { value: v } }
- { name: cost, kind: cost, source: s, query: { value: v } }`,
);

type Said = readonly [finding: CandidatePair["metrics"][number]["finding"], advantage: number | null];

function pair(
  version: string,
  against: string,
  finding: CandidatePair["finding"],
  quality: Said,
  cost: Said,
): CandidatePair {
  const metric = (name: string, [own, advantage]: Said): CandidatePair["metrics"][number] => ({
    metric: name,
    measurementUnit: null,
    finding: own,
    withinMargin: own === "equivalent",
    component: null,
    effect: null,
    advantage,
    reason: null,
  });
  return { version, against, finding, metrics: [metric("quality", quality), metric("cost", cost)], text: "" };
}

const choose = (pairs: readonly CandidatePair[], ...promoted: string[]) => {
  const { best, comparisons } = chooseBest(pairs, promoted, ANALYSIS, { look: 1, error: 0.05, open: false });
  return { best, unbeaten: comparisons.unbeaten, text: comparisons.text };
};

const EVEN: Said = ["equivalent", 0];

describe("the best of the safe ones", () => {
  test("is nobody where nobody is promoted, and the only one where one is", () => {
    expect(choose([])).toEqual({
      best: null,
      unbeaten: [],
      text: "no candidate is promoted, so none is the best of the safe ones",
    });
    expect(choose([], "v3")).toEqual({ best: "v3", unbeaten: ["v3"], text: "v3 is the only one that is safe" });
  });

  test("is not one that was not promoted, however much better it is proven", () => {
    const better = pair("v3", "v2", "better", ["better", 3], ["better", 3]);
    expect(choose([better], "v2")).toMatchObject({ best: "v2", unbeaten: ["v2"] });
  });

  test("is the one that no other is proven better than, also where it is proven better than one only", () => {
    const pairs = [
      pair("v3", "v2", "better", EVEN, ["better", 1]),
      pair("v4", "v2", "unclear", EVEN, ["unclear", 0.2]),
      pair("v4", "v3", "worse", EVEN, ["worse", -1]),
    ];
    expect(choose(pairs, "v2", "v3", "v4").text).toBe(
      "v3 is the best of the safe ones: proven better than v2 in cost and v4 in cost, and proven worse in nothing",
    );
    const chain = [
      pair("v3", "v2", "better", EVEN, ["better", 1]),
      pair("v4", "v2", "unclear", EVEN, ["unclear", 2]),
      pair("v4", "v3", "better", ["better", 1], EVEN),
    ];
    expect(choose(chain, "v2", "v3", "v4")).toEqual({
      best: "v4",
      unbeaten: ["v4"],
      text: "v4 is the best of the safe ones: proven better than v3 in quality, and proven worse in nothing; than v2 another of the safe ones is proven better",
    });
  });

  test("is suggested among several by the estimates, critical metrics counting three times", () => {
    const pairs = [pair("v3", "v2", "trade_off", ["worse", -1], ["better", 2])];
    expect(choose(pairs, "v2", "v3")).toEqual({
      best: "v2",
      unbeaten: ["v2", "v3"],
      text: "v2 and v3: no difference is proven that would choose between them; v2 is suggested: ahead by 0.25 margins on average, which is an estimate and no proof",
    });
    const ahead = [pair("v3", "v2", "trade_off", ["worse", -0.5], ["better", 2])];
    expect(choose(ahead, "v2", "v3").best).toBe("v3");
  });

  test("is the first named of equals", () => {
    const pairs = [pair("v3", "v2", "equivalent", EVEN, EVEN)];
    expect(choose(pairs, "v2", "v3").best).toBe("v2");
    expect(choose(pairs, "v3", "v2").best).toBe("v3");
    expect(choose(pairs, "v2", "v3").text).toMatch(/^v2 and v3: proven equivalent, so that any of them will do/);
  });

  test("is not suggested where any evidence is missing among those that remain", () => {
    const pairs = [
      pair("v3", "v2", "unclear", ["unclear", 1], ["unclear", 1]),
      pair("v4", "v2", "unclear", ["unclear", -1], ["unclear", null]),
      pair("v4", "v3", "unclear", ["unclear", -1], ["unclear", -1]),
    ];
    expect(choose(pairs, "v2", "v3", "v4")).toMatchObject({ best: null, unbeaten: ["v2", "v3", "v4"] });
    expect(choose([], "v2", "v3")).toMatchObject({ best: null, unbeaten: ["v2", "v3"] });
    // v4's evidence does not matter once it is out.
    expect(choose([...pairs.slice(0, 2), pair("v4", "v3", "worse", EVEN, ["worse", -1])], "v2", "v3", "v4").best).toBe(
      "v3",
    );
  });

  test("in a ring nobody is left out", () => {
    const pairs = [
      pair("v3", "v2", "better", EVEN, ["better", 1]),
      pair("v4", "v2", "worse", ["worse", -1], EVEN),
      pair("v4", "v3", "better", ["better", 1], EVEN),
    ];
    expect(choose(pairs, "v2", "v3", "v4").unbeaten).toEqual(["v2", "v3", "v4"]);
  });
});
