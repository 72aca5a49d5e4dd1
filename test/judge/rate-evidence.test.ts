import { expect, test } from "vitest";
import { NONE } from "../../src/judge/evidence.ts";
import { rateEvidence } from "../../src/judge/rate-evidence.ts";

const SPREAD = { dispersion: 1, df: Infinity };
const FREE = { promotionBar: null, rollbackBar: null };

test.each([
  ["absolute", { absolute: 0.03, relative: null }],
  ["relative", { absolute: null, relative: 0.5 }],
  ["the looser of both", { absolute: 0.03, relative: 0.5 }],
])("the interval shown decides as the tests do, few events or many: %s margin", (_, margin) => {
  const disagreements: string[] = [];
  for (const trials of [60, 100, 400])
    for (let b = 0; b <= 8; b += 2)
      for (let c = 0; c <= 16; c += 2) {
        const arms = { baseline: { events: b, trials }, candidate: { events: c, trials } };
        const evidence = rateEvidence(arms, margin, SPREAD, FREE);
        const { lower, upper } = evidence.bounds(0.0215, 0.05);
        const edge = { kind: "tolerance", tolerance: margin, direction: 1 } as const;
        const where = `${c}/${trials} against ${b}/${trials}`;
        if ((lower ?? -1) > 0 && evidence.above(NONE) > 0.0215)
          disagreements.push(`${where}: lower ${lower}, not proven worse`);
        if ((lower ?? -1) < 0 && evidence.above(NONE) <= 0.0215)
          disagreements.push(`${where}: lower ${lower}, proven worse`);
        const place = evidence.place(edge);
        if ((upper ?? 1) < place && evidence.below(edge) > 0.05)
          disagreements.push(`${where}: upper ${upper}, not proven safe`);
        if ((upper ?? 1) > place + 1e-9 && evidence.below(edge) <= 0.05)
          disagreements.push(`${where}: upper ${upper}, proven safe`);
      }
  expect(disagreements).toEqual([]);
});

test("where the baseline had no event a relative margin is still shown as something", () => {
  const arms = { baseline: { events: 0, trials: 60 }, candidate: { events: 12, trials: 60 } };
  const margin = { absolute: null, relative: 0.5 };
  const evidence = rateEvidence(arms, margin, SPREAD, FREE);
  expect(evidence.place({ kind: "tolerance", tolerance: margin, direction: 1 })).toBeCloseTo(0.5 * (0.5 / 61), 12);
  expect(evidence.bounds(0.025, 0.05).lower).toBeGreaterThan(0);
});
