import { standardNormal, type Random } from "../../src/stats/random.ts";

/** Laws with mean 1 that values are drawn from, by name. */
export const laws: Readonly<
  Record<"normal" | "lognormal 0.8" | "lognormal 1.5" | "zero-inflated", (random: Random) => number>
> = {
  normal: (random) => 1 + 0.15 * standardNormal(random),
  "lognormal 0.8": (random) => Math.exp(0.8 * standardNormal(random) - 0.32),
  "lognormal 1.5": (random) => Math.exp(1.5 * standardNormal(random) - 1.125),
  // Two sessions in five cost nothing.
  "zero-inflated": (random) => (random() < 0.4 ? 0 : Math.exp(0.8 * standardNormal(random) - 0.32) / 0.6),
};

export function draw(random: Random, n: number, law: (random: Random) => number): Float64Array {
  return Float64Array.from({ length: n }, () => law(random));
}

/** A stationary first-order autoregression of variance 1, with white noise of standard deviation `noise` on top. */
export function autoregression(random: Random, steps: number, rho: number, noise = 0): Float64Array {
  const series = new Float64Array(steps);
  let level = standardNormal(random);
  const innovation = Math.sqrt(1 - rho * rho);
  for (let t = 0; t < steps; t++) {
    if (t > 0) level = rho * level + innovation * standardNormal(random);
    series[t] = level + noise * standardNormal(random);
  }
  return series;
}

/** A Poisson count of a small or moderate mean, by multiplication of uniforms in blocks. */
export function poisson(random: Random, mean: number): number {
  let count = 0;
  for (let left = mean; left > 0; left -= 30) {
    const limit = Math.exp(-Math.min(30, left));
    for (let product = random(); product > limit; product *= random()) count++;
  }
  return count;
}

/** Events among `trials` of probability `p`. */
export function binomial(random: Random, trials: number, p: number): number {
  let events = 0;
  for (let i = 0; i < trials; i++) if (random() < p) events++;
  return events;
}
