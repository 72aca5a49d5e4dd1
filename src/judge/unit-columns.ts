import type { Metric } from "../model/analysis.ts";
import type { UnitsState } from "../model/look-state.ts";
import type { NamedColumn, SampleRows } from "../model/samples.ts";
import type { EnteringUnits } from "./units.ts";

/**
 * What rows say beside their values, by unit and small enough to be kept between looks: what measured them, what people said of them, what was known of them
 * before, and where to look at the worst of them.
 */
export type UnitColumns = Pick<UnitsState, "instruments" | "gold" | "covariate" | "worst">;

/** Names kept at most: more than one is a fault already. */
const MOST_INSTRUMENTS = 20;
/** Units with a trace that are kept. */
const MOST_WORST = 5;
/** A longer text is no link that anybody could follow. */
const LONGEST_URL = 2048;

export function unitColumns(
  rows: SampleRows,
  entering: EnteringUnits,
  metric: Pick<Metric, "perUnit" | "worse" | "kind">,
): UnitColumns {
  const { instruments, gold, covariates, traceUrls } = rows;
  return {
    ...(instruments === undefined ? {} : { instruments: instrumentsOf(instruments, entering) }),
    ...(gold === undefined ? {} : { gold: goldOf(gold, entering, metric.perUnit) }),
    ...(covariates === undefined ? {} : { covariate: covariateOf(rows, covariates, entering) }),
    ...(traceUrls === undefined ? {} : { worst: worstOf(rows, traceUrls, entering, metric) }),
  };
}

function instrumentsOf({ codes, names }: NamedColumn, { counted }: EnteringUnits): UnitColumns["instruments"] {
  const sizes = new Map<string, number>();
  for (const row of counted.row) {
    const name = names[codes[row] ?? 0] ?? "";
    sizes.set(name, (sizes.get(name) ?? 0) + 1);
  }
  return sortedInstruments(sizes);
}

function sortedInstruments(sizes: ReadonlyMap<string, number>): NonNullable<UnitColumns["instruments"]> {
  return [...sizes]
    .map(([name, rows]) => ({ name, rows }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MOST_INSTRUMENTS);
}

/** One label per unit, made of its labelled rows as its value is made of all. */
function goldOf(
  gold: Float64Array,
  { counted, values }: EnteringUnits,
  perUnit: Metric["perUnit"],
): UnitColumns["gold"] {
  const sums = new Float64Array(values.length);
  const sizes = new Int32Array(values.length);
  for (const [index, row] of counted.row.entries()) {
    const label = gold[row] ?? Number.NaN;
    if (Number.isNaN(label)) continue;
    const place = counted.place[index] ?? 0;
    const before = sums[place] ?? 0;
    const first = sizes[place] === 0;
    sums[place] = first
      ? label
      : perUnit === "max"
        ? Math.max(before, label)
        : perUnit === "min"
          ? Math.min(before, label)
          : before + label;
    sizes[place] = (sizes[place] ?? 0) + 1;
  }
  const pairs: [label: number, judged: number][] = [];
  for (const [place, size] of sizes.entries())
    if (size > 0) pairs.push([(sums[place] ?? 0) / (perUnit === "mean" ? size : 1), values[place] ?? 0]);
  return sortedGold(pairs);
}

/** In an order of their own, so that the order of rows changes nothing and repeats are stored once. */
function sortedGold(pairs: [label: number, judged: number][]): NonNullable<UnitColumns["gold"]> {
  pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return {
    labels: Float64Array.from(pairs, ([label]) => label),
    judged: Float64Array.from(pairs, ([, judged]) => judged),
  };
}

/** The covariate of a unit is that of its first row, for later ones may know of the version; without times the smallest. */
function covariateOf(
  { at }: SampleRows,
  covariates: Float64Array,
  { counted, values }: EnteringUnits,
): UnitColumns["covariate"] {
  const first = new Float64Array(values.length).fill(Infinity);
  const own = new Float64Array(values.length).fill(Number.NaN);
  for (const [index, row] of counted.row.entries()) {
    const place = counted.place[index] ?? 0;
    const time = at === null ? 0 : (at[row] ?? 0);
    const covariate = covariates[row] ?? Number.NaN;
    if (time > (first[place] ?? 0) || (time === first[place] && !(covariate < (own[place] ?? 0)))) continue;
    first[place] = time;
    own[place] = covariate;
  }
  let [units, x, y, xx, xy, yy] = [0, 0, 0, 0, 0, 0];
  // In an order of their own, so that the order of rows changes no digit.
  const known = Array.from(own, (_, place) => place)
    .filter((place) => !Number.isNaN(own[place] ?? 0))
    .sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || (own[a] ?? 0) - (own[b] ?? 0));
  for (const place of known) {
    const [value, covariate] = [values[place] ?? 0, own[place] ?? 0];
    // Welford's recurrence for two columns.
    units += 1;
    const [dx, dy] = [covariate - x, value - y];
    x += dx / units;
    y += dy / units;
    xx += dx * (covariate - x);
    xy += dx * (value - y);
    yy += dy * (value - y);
  }
  return { units, missing: own.length - units, x, y, xx, xy, yy };
}

function worstOf(
  { unitNames, units, values: rowValues }: SampleRows,
  { codes, names }: NamedColumn,
  { counted, values }: EnteringUnits,
  metric: Pick<Metric, "worse" | "kind">,
): UnitColumns["worst"] {
  const side = metric.worse === "lower" ? 1 : -1;
  // Of the rows of a unit the one to look at is the worst of them.
  const found = new Map<number, Worst & { readonly row: number }>();
  for (const [index, row] of counted.row.entries()) {
    const place = counted.place[index] ?? 0;
    const traceUrl = names[codes[row] ?? 0] ?? "";
    if (traceUrl === "" || traceUrl.length > LONGEST_URL) continue;
    const known = found.get(place);
    const own = side * (rowValues[row] ?? 0);
    if (known !== undefined && (own > known.row || (own === known.row && traceUrl >= known.traceUrl))) continue;
    const value = values[place] ?? 0;
    // Of events only those that happened are examples.
    if (metric.kind === "errors" && value === (metric.worse === "lower" ? 1 : 0)) continue;
    found.set(place, { unit: units === null ? null : (unitNames[units[row] ?? 0] ?? ""), value, traceUrl, row: own });
  }
  return worstFirst(
    Array.from(found.values(), ({ unit, value, traceUrl }) => ({ unit, value, traceUrl })),
    metric,
  );
}

type Worst = NonNullable<UnitsState["worst"]>[number];

function worstFirst(all: Worst[], { worse }: Pick<Metric, "worse">): Worst[] {
  const side = worse === "lower" ? 1 : -1;
  const nameOf = ({ unit, traceUrl }: Worst) => `${unit ?? ""}\n${traceUrl}`;
  return all.sort((a, b) => side * (a.value - b.value) || (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, MOST_WORST);
}

/** Those of the looks before and of this one. */
export function joinColumns(a: UnitColumns, b: UnitColumns, metric: Pick<Metric, "worse">): UnitColumns {
  const instruments = joinInstruments(a.instruments, b.instruments);
  const gold = joinGold(a.gold, b.gold);
  const covariate = joinCovariate(a.covariate, b.covariate);
  const worst = a.worst === undefined && b.worst === undefined ? undefined : [...(a.worst ?? []), ...(b.worst ?? [])];
  return {
    ...(instruments === undefined ? {} : { instruments }),
    ...(gold === undefined ? {} : { gold }),
    ...(covariate === undefined ? {} : { covariate }),
    ...(worst === undefined ? {} : { worst: worstFirst(worst, metric) }),
  };
}

function joinInstruments(a: UnitColumns["instruments"], b: UnitColumns["instruments"]): UnitColumns["instruments"] {
  if (a === undefined || b === undefined) return a ?? b;
  const sizes = new Map(a.map(({ name, rows }) => [name, rows]));
  for (const { name, rows } of b) sizes.set(name, (sizes.get(name) ?? 0) + rows);
  return sortedInstruments(sizes);
}

function joinGold(a: UnitColumns["gold"], b: UnitColumns["gold"]): UnitColumns["gold"] {
  if (a === undefined || b === undefined) return a ?? b;
  if (b.labels.length === 0) return a;
  const pairsOf = ({ labels, judged }: NonNullable<UnitColumns["gold"]>) =>
    Array.from(labels, (label, index): [number, number] => [label, judged[index] ?? 0]);
  return sortedGold([...pairsOf(a), ...pairsOf(b)]);
}

/** Two sets of moments as one (Chan, Golub & LeVeque 1979). */
function joinCovariate(a: UnitColumns["covariate"], b: UnitColumns["covariate"]): UnitColumns["covariate"] {
  if (a === undefined || b === undefined) return a ?? b;
  const missing = a.missing + b.missing;
  if (a.units === 0 || b.units === 0) return { ...(a.units === 0 ? b : a), missing };
  const units = a.units + b.units;
  const [dx, dy, weight] = [b.x - a.x, b.y - a.y, (a.units * b.units) / units];
  return {
    units,
    missing,
    x: a.x + (dx * b.units) / units,
    y: a.y + (dy * b.units) / units,
    xx: a.xx + b.xx + dx * dx * weight,
    xy: a.xy + b.xy + dx * dy * weight,
    yy: a.yy + b.yy + dy * dy * weight,
  };
}
