import { seeded, standardNormal } from "../../src/stats/random.ts";

/** A random request of Kayenta's remote judge: everything that its judge reads, with all that makes it stumble. */
export function requestOf(seed: number) {
  const random = seeded(seed);
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const chance = (share: number): boolean => random() < share;
  const maybe = (share: number, value: () => unknown, key: string): object => (chance(share) ? { [key]: value() } : {});
  const round = (value: number): number => Number(value.toPrecision(4));
  const groups = ["a", "b", "c"];
  const metrics = Array.from({ length: pick(1, 1, 2, 3, 5, 8) }, (_, index) => {
    const isCles = chance(0.25);
    const ratio = (low: number, high: number) => round(low + random() * (high - low));
    return {
      name: `metric ${index}`,
      groups: groups.filter(() => chance(0.5)),
      scopeName: "default",
      analysisConfigurations: {
        canary: {
          ...maybe(0.8, () => pick("increase", "decrease", "either", "sideways"), "direction"),
          ...maybe(0.6, () => pick("remove", "replace"), "nanStrategy"),
          ...maybe(0.3, () => chance(0.6), "critical"),
          ...maybe(0.2, () => true, "mustHaveData"),
          ...maybe(0.15, () => chance(0.7), "muted"),
          ...maybe(
            0.4,
            () => ({ strategy: pick("remove", "keep"), ...maybe(0.5, () => pick(0.5, 1.5, 3, 10), "outlierFactor") }),
            "outliers",
          ),
          ...maybe(
            0.4,
            () => ({
              ...(isCles ? { measure: "cles" } : maybe(0.3, () => "meanRatio", "measure")),
              ...maybe(0.6, () => (isCles ? ratio(0.5, 1) : ratio(1, 2)), "allowedIncrease"),
              ...maybe(0.6, () => (isCles ? ratio(0, 0.5) : ratio(0.3, 1)), "allowedDecrease"),
              ...maybe(0.4, () => (isCles ? ratio(0.5, 1) : ratio(1, 3)), "criticalIncrease"),
              ...maybe(0.4, () => (isCles ? ratio(0, 0.5) : ratio(0.1, 1)), "criticalDecrease"),
            }),
            "effectSize",
          ),
        },
      },
    };
  });
  const draw = (): (() => number) => {
    const scale = 10 ** pick(-5, -3, -1, 0, 1, 3, 6);
    const law = pick("normal", "normal", "lognormal", "whole", "zeros", "constant", "negative");
    const constant = round(random() * scale);
    return () => {
      switch (law) {
        case "normal":
          return scale * (10 + standardNormal(random));
        case "lognormal":
          return scale * Math.exp(standardNormal(random));
        case "whole":
          return Math.floor(random() * 5);
        case "zeros":
          return chance(0.8) ? 0 : scale * random();
        case "constant":
          return constant;
        case "negative":
          return scale * standardNormal(random);
      }
    };
  };
  const metricSetPairList = metrics.flatMap(({ name }, index) =>
    Array.from({ length: chance(0.1) ? 2 : 1 }, (_, n) => {
      const control = draw();
      const experiment = chance(0.85) ? control : draw();
      const shift = chance(0.5) ? 1 : pick(0.5, 0.9, 0.97, 1.03, 1.1, 1.5, 10);
      const holes = chance(0.3) ? random() * 0.5 : 0;
      const length = () => pick(0, 1, 2, 3, 4, 5, 10, 30, 60, 60, 120);
      const shared = length();
      const side = (one: () => number, factor: number) =>
        Array.from({ length: chance(0.8) ? shared : length() }, () =>
          chance(holes) ? "NaN" : chance(0.001) ? pick("Infinity", "-Infinity") : one() * factor,
        );
      const values = { control: side(control, 1), experiment: side(experiment, shift) };
      if (chance(0.03)) values.experiment = [...values.control];
      return { name, id: `${index}-${n}`, tags: n === 0 ? {} : { n: String(n) }, values, scopes: {} };
    }),
  );
  const weighted = groups.filter(() => chance(0.5));
  return {
    canaryConfig: {
      name: "random",
      applications: ["x"],
      judge: { name: "NetflixACAJudge-v1.0", judgeConfigurations: {} },
      metrics,
      templates: {},
      classifier: { groupWeights: Object.fromEntries(weighted.map((group) => [group, pick(10, 25, 33.3, 50, 100)])) },
    },
    scoreThresholds: { pass: pick(75, 90, 95), marginal: pick(25, 50, 75) },
    metricSetPairList,
  };
}
