import { expect, test } from "vitest";
import { canonicalJson } from "../../src/model/canonical.ts";
import type { Samples } from "../../src/model/samples.ts";
import { seeded } from "../../src/stats/random.ts";
import { play, START_SECONDS } from "./play.ts";
import { analysisWith } from "./samples.ts";

const ANALYSIS = analysisWith(
  "- { name: latency, kind: latency, unit: step, source: s, query: { series: x } }",
  "plan: { mode: scheduled, duration: 12s, every: 1s, settle: 0s, step: 1s }",
);

/** One value per second, up and down in turn. */
function swinging(seed: number, swing: number): Samples {
  const random = seeded(seed);
  const at = Float64Array.from({ length: 12 }, (_, step) => START_SECONDS + step);
  const values = at.map((_, step) => 1 + (step % 2 === 0 ? swing : -swing) * (0.5 + 0.5 * random()));
  return { shape: "series", stepSeconds: 1, at, values };
}

test("two steps whose interval is astronomically wide forecast nothing, and their report can be stored", async () => {
  let unforeseeable = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const pair = { baseline: swinging(seed, 0.003), candidate: swinging(seed + 1000, 0.01) };
    for (const { report } of await play(ANALYSIS, [pair])) {
      expect(() => canonicalJson(report)).not.toThrow();
      const [finding] = report.findings;
      const upper = finding?.effect?.upper ?? null;
      if (upper !== null && upper > 1e200) {
        unforeseeable += 1;
        expect(finding?.forecast).toMatchObject({ units: null, minutes: null });
      }
    }
  }
  expect(unforeseeable).toBeGreaterThan(0);
});
