import { standardNormal, type Random } from "../../src/stats/random.ts";

/** exp(log median + sigma z): positive, skewed to the right. */
export function lognormal(random: Random, median: number, sigma: number): number {
  return median * Math.exp(sigma * standardNormal(random));
}

/** How many events of a Poisson process with this mean; Knuth's product, in parts so that exp(-mean) stays away from 0. */
export function poisson(random: Random, mean: number): number {
  let events = 0;
  for (let left = mean; left > 0; left -= 30) {
    const limit = Math.exp(-Math.min(left, 30));
    for (let product = random(); product > limit; product *= random()) events += 1;
  }
  return events;
}

/** Trials up to and with the first success: 1, 2, 3 … with this mean. */
export function geometric(random: Random, mean: number): number {
  return 1 + Math.floor(Math.log1p(-random()) / Math.log1p(-1 / mean));
}

/** Successes in n trials. */
export function binomial(random: Random, n: number, p: number): number {
  let successes = 0;
  for (let i = 0; i < n; i++) if (random() < p) successes += 1;
  return successes;
}

/** 0, 1, 2 … with these probabilities, which sum to 1. */
export function category(random: Random, shares: readonly number[]): number {
  let left = random();
  for (let i = 0; i < shares.length - 1; i++) {
    left -= shares[i];
    if (left < 0) return i;
  }
  return shares.length - 1;
}

/** A stationary first-order autoregression with this lag-one correlation and standard deviation. */
export function autoregression(random: Random, length: number, correlation: number, deviation: number): Float64Array {
  const values = new Float64Array(length);
  const innovation = deviation * Math.sqrt(1 - correlation ** 2);
  let last = deviation * standardNormal(random);
  for (let i = 0; i < length; i++) {
    values[i] = last;
    last = correlation * last + innovation * standardNormal(random);
  }
  return values;
}
