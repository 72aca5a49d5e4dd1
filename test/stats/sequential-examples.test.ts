import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";

/** Files whose documentation shows examples: every `@example code // value` is run and compared to the digits printed. */
const files = [
  "distributions/beta",
  "distributions/binomial",
  "distributions/chi-square",
  "distributions/gamma",
  "distributions/hypergeometric",
  "distributions/kolmogorov",
  "distributions/log-gamma",
  "distributions/normal",
  "distributions/poisson",
  "distributions/student-t",
  "gauss-legendre",
  "alpha-spending",
  "group-sequential",
  "confidence-sequence",
  "e-value-combination",
  "e-value-counts",
  "e-value-bounded",
  "bounded-mean-sequence",
  "pair-arrivals",
  "dkw-band",
  "multiplicity",
  "dunnett",
  "planning",
];

describe.each(files)("src/stats/%s.ts", (file) => {
  const url = new URL(`../../src/stats/${file}.ts`, import.meta.url);
  const examples = [...readFileSync(url, "utf8").matchAll(/@example (.+?) \/\/ (.+?)(?: \*\/)?$/gm)].map(
    ([, code, value]) => [code, value] as const,
  );

  test("shows examples, each with its value", () => {
    expect(examples.length).toBeGreaterThan(0);
    expect(readFileSync(url, "utf8").match(/@example/g)).toHaveLength(examples.length);
  });

  test.each(examples)("%s is %s", async (code, value) => {
    const scope = (await import(url.href)) as Record<string, unknown>;
    const got: unknown = runInNewContext(code, { ...scope, Float64Array, Math });
    const printed = value.match(/-?\d+(?:\.\d+)?(?:e-?\d+)?|true|false/g) ?? [];
    const shown = Array.isArray(got) || got instanceof Float64Array ? Array.from(got as ArrayLike<unknown>) : [got];
    expect(printed.length).toBeGreaterThanOrEqual(shown.length);
    shown.forEach((one, i) => {
      if (typeof one === "boolean") return expect(String(one)).toBe(printed[i]);
      // Half a unit of the last digit printed, or the rounding of 17 digits.
      const digits = /\.(\d+)/.exec(printed[i])?.[1].length ?? 0;
      const exponent = Number(/e(-?\d+)/.exec(printed[i])?.[1] ?? 0);
      const want = Number(printed[i]);
      expect(Math.abs((one as number) - want), `${one as number} against ${printed[i]}`).toBeLessThanOrEqual(
        0.5 * 10 ** (exponent - digits) + 2e-14 * Math.abs(want),
      );
    });
  });
});
