/**
 * Amounts as people write them in an analysis: `5%`, `1pp`, `200ms`, `0.25`, `0.02 USD`.
 *
 * An amount without its measurement unit is refused wherever it could be read in two ways: a latency margin of `5` could be five seconds or five percent.
 */

export type MetricKind = "latency" | "errors" | "score" | "cost" | "gauge";

/** What an amount of this metric is measured in. */
export interface Measure {
  readonly kind: MetricKind;
  /** Of the values that the source returns: `s`, `ms` … for latency, any word for cost and gauge; null when not declared. */
  readonly measurementUnit: string | null;
}

/** An accepted or demanded change. Where both parts are given the looser one counts. */
export interface Tolerance {
  /** Fraction of the baseline: 0.05 for `5%`. */
  readonly relative: number | null;
  /** In the metric's own measurement unit; for errors a fraction: 0.01 for `1pp`. */
  readonly absolute: number | null;
}

/** What the schema lets through: `0.25`, `"5%"`, `"200ms"`, `{ relative: "50%", absolute: "0.1pp" }`. */
export type ToleranceInput =
  | number
  | string
  | { readonly relative?: string | undefined; readonly absolute?: number | string | undefined };

export const TIME_UNITS: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 };

/** Strict decimal grammar: what `Number` accepts beyond it ("", " ", "0x10", "Infinity") is not a number here. */
export const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Why an amount cannot be read, in words for the author of the analysis. */
export class AmountFault {
  readonly detail: string;
  constructor(detail: string) {
    this.detail = detail;
  }
}

/** The amount as a tolerance, or the fault in it. */
export function readTolerance(input: ToleranceInput, measure: Measure): Tolerance | AmountFault {
  if (typeof input === "object") {
    if (input.relative === undefined && input.absolute === undefined)
      return new AmountFault("needs relative, absolute or both");
    if (input.relative !== undefined && input.absolute !== undefined && measure.kind !== "errors") {
      return new AmountFault("holds relative and absolute; only an errors metric takes the looser of two, give one");
    }
    let relative: number | null = null;
    let absolute: number | null = null;
    if (input.relative !== undefined) {
      const part = readTolerance(input.relative, measure);
      if (part instanceof AmountFault) return part;
      if (part.relative === null)
        return new AmountFault(`relative is ${input.relative}, which is not a percentage such as 5%`);
      relative = part.relative;
    }
    if (input.absolute !== undefined) {
      const part = readTolerance(input.absolute, measure);
      if (part instanceof AmountFault) return part;
      if (part.absolute === null) return new AmountFault(`absolute is ${input.absolute}, which is a percentage`);
      absolute = part.absolute;
    }
    return { relative, absolute };
  }

  const [number, unit] = splitAmount(input);
  if (number === null)
    return new AmountFault(`${JSON.stringify(input)} is not an amount; write for example ${example(measure)}`);
  if (!(number > 0)) return new AmountFault(`${input} is not above 0`);
  if (unit === "%") {
    if (measure.kind === "score")
      return new AmountFault(
        "is relative, but the zero of a score is arbitrary; give points on its scale, for example 0.25",
      );
    return { relative: number / 100, absolute: null };
  }
  const absolute = readAbsolute(number, unit, measure);
  return absolute instanceof AmountFault ? absolute : { relative: null, absolute };
}

/** An amount on the metric's own axis, for example the `4s` of a limit; a percentage is a fraction for errors and refused elsewhere. */
export function readLevel(input: number | string, measure: Measure): number | AmountFault {
  const [number, unit] = splitAmount(input);
  if (number === null)
    return new AmountFault(`${JSON.stringify(input)} is not an amount; write for example ${example(measure)}`);
  if (measure.kind === "errors") {
    if (unit === "%") return number / 100;
    return new AmountFault(`${input} lacks its measurement unit; write a percentage, for example 2%`);
  }
  if (unit === "%" && measure.measurementUnit !== "%")
    return new AmountFault(`${input} is relative; a limit is absolute, for example ${example(measure)}`);
  return readAbsolute(number, unit, measure);
}

function splitAmount(input: number | string): [number: number | null, unit: string] {
  if (typeof input === "number") return [Number.isFinite(input) ? input : null, ""];
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([\p{L}%°$€£¥/].*?)?\s*$/u.exec(input);
  return match === null ? [null, ""] : [Number(match[1]), match[2] ?? ""];
}

function readAbsolute(number: number, unit: string, { kind, measurementUnit }: Measure): number | AmountFault {
  switch (kind) {
    case "latency": {
      const seconds = TIME_UNITS[unit];
      if (unit === "")
        return new AmountFault(`${number} lacks its measurement unit; write ${number}%, ${number}ms or ${number}s`);
      if (seconds === undefined)
        return new AmountFault(`${unit} is not a unit of time; use ${Object.keys(TIME_UNITS).join(", ")} or %`);
      return (number * seconds) / (TIME_UNITS[measurementUnit ?? "s"] ?? 1);
    }
    case "errors":
      if (unit === "pp") return number / 100;
      if (unit === "")
        return new AmountFault(
          `${number} lacks its measurement unit; write ${number}pp (percentage points) or ${number}% (of the baseline)`,
        );
      return new AmountFault(
        `${unit} is not a measurement unit of an error fraction; use pp (percentage points) or % (of the baseline)`,
      );
    case "score":
      if (unit === "" || unit === "points" || unit === measurementUnit) return number;
      return new AmountFault(
        `${unit} is not the measurement unit of a score; give points on its scale, for example 0.25`,
      );
    case "cost":
    case "gauge":
      if (unit === "" && measurementUnit === null) {
        return new AmountFault(
          `${number} lacks its measurement unit; write ${number}%, or declare measurementUnit and write for example "${number} USD"`,
        );
      }
      if (unit === "")
        return new AmountFault(
          `${number} lacks its measurement unit; write "${number} ${measurementUnit}" or ${number}%`,
        );
      if (measurementUnit === null)
        return new AmountFault(
          `${number} ${unit} is absolute, but the metric declares no measurementUnit; add measurementUnit: ${unit}`,
        );
      if (unit !== measurementUnit)
        return new AmountFault(`${unit} is not the metric's measurementUnit, which is ${measurementUnit}`);
      return number;
  }
}

function example({ kind, measurementUnit }: Measure): string {
  switch (kind) {
    case "latency":
      return "5%, 200ms or 0.2s";
    case "errors":
      return "1pp or 50%";
    case "score":
      return "0.25";
    case "cost":
    case "gauge":
      return measurementUnit === null ? "15%" : `15% or "2 ${measurementUnit}"`;
  }
}
