import { randomInteger, standardNormal, type Random } from "../../src/stats/random.ts";

/** Samples for property tests and calibration, all from a seeded generator. */

/** Whole numbers 1 to 5, as an LLM judge gives them; most are high. */
export function scores(random: Random, n: number): Float64Array {
  const upTo = [0.03, 0.1, 0.25, 0.6, 1];
  return Float64Array.from({ length: n }, () => {
    const u = random();
    return upTo.findIndex((share) => u < share) + 1;
  });
}

export function uniform(random: Random, n: number): Float64Array {
  return Float64Array.from({ length: n }, random);
}

export function normal(random: Random, n: number): Float64Array {
  return Float64Array.from({ length: n }, () => standardNormal(random));
}

/** Durations: a few are a hundred times the typical one. */
export function lognormal(random: Random, n: number, sigma = 1.5): Float64Array {
  return Float64Array.from({ length: n }, () => Math.exp(sigma * standardNormal(random)));
}

/** No mean, no variance. */
export function cauchy(random: Random, n: number): Float64Array {
  return Float64Array.from({ length: n }, () => Math.tan(Math.PI * (random() - 0.5)));
}

/** Costs: a share of sessions cost nothing. */
export function zeroInflated(random: Random, n: number, zeros = 0.4): Float64Array {
  return Float64Array.from({ length: n }, () => (random() < zeros ? 0 : Math.exp(standardNormal(random))));
}

/** The same values in another order. */
export function shuffled(values: readonly number[], seed: number): number[] {
  const copy = [...values];
  let state = seed >>> 0;
  const random: Random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = copy.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}
