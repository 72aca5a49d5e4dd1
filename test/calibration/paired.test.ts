import { describe, expect, test } from "vitest";
import { pairedEvidence, type Pairs } from "../../src/judge/paired-evidence.ts";
import type { Evidence, Level } from "../../src/judge/evidence.ts";
import { binomialPmf } from "../../src/stats/distributions/binomial.ts";
import { pairedProportionsTest } from "../../src/stats/paired-proportions.ts";
import { seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { analysisWith } from "../judge/samples.ts";
import { ceilingOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";

/**
 * The exact size of the test of a paired difference: the chance of a p-value up to alpha, summed over all tables, where the truth lies on the border.
 */
describe("paired difference of shares on the border", () => {
  test.each([
    [30, 0.1],
    [60, 0.05],
    [100, 0.1],
    [150, 0.02],
    [300, 0.05],
  ])("%i items, difference %d", (items, difference) => {
    for (const share of [0, 0.02, 0.1]) {
      for (const side of ["less", "greater"] as const) {
        const sizes = new Map([0.05, 0.01].map((alpha) => [alpha, 0]));
        const own = share + difference;
        for (let candidateOnly = 0; candidateOnly <= items; candidateOnly++) {
          const chance = binomialPmf(candidateOnly, items, own);
          if (chance < 1e-8) continue;
          const rest = items - candidateOnly;
          for (let baselineOnly = 0; baselineOnly <= rest; baselineOnly++) {
            const both = chance * binomialPmf(baselineOnly, rest, share / (1 - own));
            if (both < 1e-7) continue;
            const counts = { both: 0, candidateOnly, baselineOnly, neither: rest - baselineOnly };
            const { p } = pairedProportionsTest(counts, { difference }, side);
            for (const [alpha, size] of sizes) if (p <= alpha) sizes.set(alpha, size + both);
          }
        }
        report({
          test: "paired difference",
          items,
          difference,
          "baseline only": share,
          side,
          "size at 5 %": percent(sizes.get(0.05) ?? 0),
          "size at 1 %": percent(sizes.get(0.01) ?? 0),
        });
        // Summed, not simulated: from 30 discordant items on the score test may exceed its level a little.
        for (const [alpha, size] of sizes) expect(size).toBeLessThan(1.05 * alpha);
      }
    }
  });
});

const metricOf = (yaml: string) => {
  const [metric] = analysisWith(
    `- { name: m, source: s, query: { value: v, unit: u }, ${yaml} }`,
    "design: paired",
  ).metrics;
  if (metric === undefined) throw new Error("there is one metric");
  return metric;
};

const FREE = { promotionBar: null, rollbackBar: null };
const NONE: Level = { kind: "none" };

/** Pairs of an item's own level and what each version makes of it. */
function drawPairs(
  random: Random,
  items: number,
  one: (item: number) => readonly [baseline: number, candidate: number],
): Pairs {
  const pairs = Array.from({ length: items }, () => one(standardNormal(random)));
  return {
    names: pairs.map((_, item) => `${item}`),
    baseline: Float64Array.from(pairs, ([baseline]) => baseline),
    candidate: Float64Array.from(pairs, ([, candidate]) => candidate),
  };
}

describe("paired components: no change is called worse, and harm at the margin safe, in 5 % at most", () => {
  const scoreOf = (z: number) => Math.min(5, Math.max(1, Math.round(3.4 + z)));
  const laws: Record<
    string,
    { yaml: string; draw: (random: Random, item: number, harm: boolean) => readonly [number, number] }
  > = {
    "latency, lognormal": {
      yaml: "kind: latency, margin: 10%",
      draw: (random, item, harm) => {
        const own = Math.exp(item);
        return [
          own * Math.exp(0.4 * standardNormal(random)),
          (harm ? 1.1 : 1) * own * Math.exp(0.4 * standardNormal(random)),
        ];
      },
    },
    "cost with zeros": {
      yaml: "kind: cost, margin: 10%",
      draw: (random, item, harm) => {
        const own = item < -1 ? 0 : Math.exp(item);
        return [
          own * Math.exp(0.4 * standardNormal(random)),
          (harm ? 1.1 : 1) * own * Math.exp(0.4 * standardNormal(random)),
        ];
      },
    },
    "latency, absolute margin": {
      yaml: "kind: latency, margin: 200ms",
      draw: (random, item, harm) => [
        5 + item + 0.4 * standardNormal(random),
        5 + item + 0.4 * standardNormal(random) + (harm ? 0.2 : 0),
      ],
    },
    // One point down in a quarter of the items more than up: a quarter of a point, and an eighth in superiority.
    score: {
      yaml: "kind: score, scale: [0, 6], margin: 0.25, superiorityMargin: 0.125",
      draw: (random, item, harm) => {
        const [before, u] = [scoreOf(item), random()];
        return [before, before + (u < 0.15 ? 1 : u < (harm ? 0.55 : 0.3) ? -1 : 0)];
      },
    },
    "errors, both margins": {
      yaml: "kind: errors, margin: { relative: 50%, absolute: 2pp }",
      draw: (random, item, harm) => [
        item < -1.7 || random() < 0.02 ? 1 : 0,
        item < -1.7 || random() < (harm ? 0.0542 : 0.02) ? 1 : 0,
      ],
    },
    "errors, the corner of both margins": {
      yaml: "kind: errors, margin: { relative: 50%, absolute: 2pp }",
      draw: (random, _, harm) => [random() < 0.04 ? 1 : 0, random() < (harm ? 0.06 : 0.04) ? 1 : 0],
    },
    "errors, few and relative": {
      yaml: "kind: errors, margin: 50%",
      draw: (random, item, harm) => [
        item < -2.4 || random() < 0.01 ? 1 : 0,
        item < -2.4 || random() < (harm ? 0.0191 : 0.01) ? 1 : 0,
      ],
    },
  };

  test.each(Object.keys(laws))("%s", (name) => {
    const { yaml, draw } = laws[name] ?? { yaml: "", draw: () => [0, 0] };
    const metric = metricOf(yaml);
    const side = metric.worse === "lower" ? -1 : 1;
    const margin: Level = { kind: "tolerance", tolerance: metric.margin, direction: side };
    for (const items of [40, 150]) {
      const random = seeded(7000 + items);
      const rates = new Map<string, { worse: number; safe: number }>();
      const times = 1000;
      shareOf(() => {
        const equal = pairedEvidence(
          drawPairs(random, items, (item) => draw(random, item, false)),
          metric,
          FREE,
          FREE,
        );
        const harmed = pairedEvidence(
          drawPairs(random, items, (item) => draw(random, item, true)),
          metric,
          FREE,
          FREE,
        );
        const p = (one: Evidence, level: Level, towards: 1 | -1) =>
          towards === 1 ? one.above(level) : one.below(level);
        for (const [index, one] of equal.entries()) {
          const rate = rates.get(one.component) ?? { worse: 0, safe: 0 };
          if (p(one, NONE, side) <= 0.05) rate.worse += 1 / times;
          const other = harmed[index];
          if (other !== undefined && p(other, margin, side === 1 ? -1 : 1) <= 0.05) rate.safe += 1 / times;
          rates.set(one.component, rate);
        }
        return false;
      }, times);
      for (const [component, { worse, safe }] of rates) {
        report({
          law: name,
          items,
          component,
          "worse % without change": percent(worse),
          "safe % at the margin": percent(safe),
        });
        expect(worse).toBeLessThanOrEqual(ceilingOf(0.05, times));
        expect(safe).toBeLessThanOrEqual(ceilingOf(0.05, times));
      }
    }
  });
});
