import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { seeded } from "../../src/stats/random.ts";

/** Stored by `fixtures/golden/*.py`: every number with the script, the library version and the call that made it. */
export interface GoldenFile {
  readonly madeBy: string;
  readonly with: string;
  readonly cases: readonly GoldenCase[];
}

export interface GoldenCase {
  readonly function: string;
  readonly name: string;
  /** The call that made the numbers, for example `scipy.stats.mannwhitneyu(y, x, method='exact')`. */
  readonly source: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
  /**
   * A value passes when |got - expected| <= abs + rel * |expected|; an infinite one must be met exactly. `why` gives the
   * reason for the slack.
   */
  readonly tolerance: { readonly abs: number; readonly rel: number; readonly why: string };
}

/** How a large sample is described instead of stored; the same recipe as in `fixtures/golden/data.py`. */
export interface Recipe {
  readonly seed: number;
  readonly n: number;
  readonly law: "uniform" | "integers" | "grid";
  readonly below?: number;
  readonly step?: number;
  readonly scale?: number;
  readonly offset?: number;
}

export function readGolden(topic: string): GoldenFile {
  const url = new URL(`../../fixtures/golden/${topic}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as GoldenFile;
}

/**
 * The cases of one function, for `test.each`: an empty list is an error, so that a renamed function cannot lose its
 * tests.
 */
export function goldenCases(topic: string, functionName: string): [name: string, golden: GoldenCase][] {
  const cases = readGolden(topic).cases.filter((golden) => golden.function === functionName);
  if (cases.length === 0) throw new Error(`fixtures/golden/${topic}.json has no case of ${functionName}`);
  return cases.map((golden) => [golden.name, golden]);
}

/** A sample of a golden case: numbers as they stand (JSON has no NaN or -0; those are the strings "NaN", "-0"), or a recipe. */
export function goldenSample(input: unknown): Float64Array {
  if (Array.isArray(input)) return Float64Array.from(input, (value) => Number(value));
  const recipe = input as Recipe;
  const random = seeded(recipe.seed);
  const { law, n, below = 1, step = 1, scale = 1, offset = 0 } = recipe;
  return Float64Array.from({ length: n }, () => {
    const u = random();
    if (law === "integers") return Math.floor(u * below) * scale + offset;
    if (law === "grid") return Math.floor(u / step) * step * scale + offset;
    return u * scale + offset;
  });
}

/** Compares number by number within the tolerance of the case, and says which field is off and by how much. */
export function expectGolden(got: Readonly<Record<string, unknown>>, golden: GoldenCase): void {
  expect(misses(got, golden)).toEqual([]);
}

/** The fields that miss their golden value by more than the case allows, in words; arrays element by element. */
export function misses(got: Readonly<Record<string, unknown>>, golden: GoldenCase): string[] {
  const { abs, rel } = golden.tolerance;
  const values = flat(got);
  return Object.entries(flat(golden.expected)).flatMap(([field, expected]) => {
    const value = values[field];
    if (typeof expected !== "number" && expected !== "Infinity" && expected !== "-Infinity") {
      const same = JSON.stringify(value) === JSON.stringify(expected);
      return same ? [] : [`${field} is ${JSON.stringify(value)}, expected ${JSON.stringify(expected)}`];
    }
    const want = Number(expected);
    if (value === want) return [];
    const error = Math.abs((value as number) - want);
    const allowed = Number.isFinite(want) ? abs + rel * Math.abs(want) : 0;
    return error <= allowed
      ? []
      : [`${field} is ${String(value)}, expected ${want}, off by ${error}, allowed ${allowed}`];
  });
}

function flat(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === "object" && value !== null) {
      for (const [i, one] of Object.entries(value)) out[`${key}[${i}]`] = one;
    } else out[key] = value;
  }
  return out;
}
