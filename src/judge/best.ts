import type { Analysis } from "../model/analysis.ts";
import type { CandidatePair, Comparisons } from "../model/comparison.ts";
import { formatNumber } from "./format.ts";

/** The candidates against each other, and the one to take. */
export interface Choice {
  readonly comparisons: Comparisons;
  readonly best: string | null;
}

/**
 * The best of the safe ones. Safe is what its own verdict says; of those, the ones remain that no other is proven better than, as in Gupta's selection of a
 * subset that holds the best (1965, Technometrics 7, 225-245): nothing is left out without proof. Of several the one that is ahead by the estimates is suggested.
 *
 * @param promoted  labels, in the order of the run's candidates, which decides between equals.
 * @param open      other candidates have no verdict yet.
 */
export function chooseBest(
  pairs: readonly CandidatePair[],
  promoted: readonly string[],
  { metrics }: Pick<Analysis, "metrics">,
  { look, error, open }: Pick<Comparisons, "look" | "error"> & { readonly open: boolean },
): Choice {
  const beaters = (label: string) => promoted.filter((other) => isBetter(pairs, other, label));
  const remaining = promoted.filter((label) => beaters(label).length === 0);
  // Each better than another in a ring, by different metrics: then none is left out.
  const unbeaten = remaining.length === 0 ? promoted : remaining;
  const weights = new Map(metrics.map(({ name, weight }) => [name, weight]));
  const lead = unbeaten.length > 1 ? leaderOf(unbeaten, pairs, weights) : null;
  return {
    best: unbeaten.length === 1 ? (unbeaten[0] ?? null) : (lead?.label ?? null),
    comparisons: {
      look,
      error,
      pairs: [...pairs],
      unbeaten: [...unbeaten],
      text: `${open ? "so far: " : ""}${textOf(promoted, unbeaten, pairs, lead)}`,
    },
  };
}

function isBetter(pairs: readonly CandidatePair[], label: string, than: string): boolean {
  return pairs.some(
    ({ version, against, finding }) =>
      (version === label && against === than && finding === "better") ||
      (version === than && against === label && finding === "worse"),
  );
}

interface Leader {
  readonly label: string;
  /** In margins, averaged over the others and the metrics. */
  readonly ahead: number;
}

/** Null where any evidence is missing: nobody is suggested for what is not known of another. */
function leaderOf(
  labels: readonly string[],
  pairs: readonly CandidatePair[],
  weights: ReadonlyMap<string, number>,
): Leader | null {
  let leader: Leader | null = null;
  for (const label of labels) {
    let sum = 0;
    let all = 0;
    for (const { version, against, metrics } of pairs) {
      if (!labels.includes(version) || !labels.includes(against) || (version !== label && against !== label)) continue;
      for (const { metric, advantage } of metrics) {
        if (advantage === null) return null;
        const weight = weights.get(metric) ?? 0;
        sum += (version === label ? weight : -weight) * advantage;
        all += weight;
      }
    }
    if (all === 0) return null;
    if (leader === null || sum / all > leader.ahead) leader = { label, ahead: sum / all };
  }
  return leader;
}

function textOf(
  promoted: readonly string[],
  unbeaten: readonly string[],
  pairs: readonly CandidatePair[],
  lead: Leader | null,
): string {
  const [first] = unbeaten;
  if (first === undefined) return "no candidate is promoted, so none is the best of the safe ones";
  if (promoted.length === 1) return `${first} is the only one that is safe`;
  if (unbeaten.length === 1) {
    const beaten = promoted.filter((label) => isBetter(pairs, first, label));
    const named = beaten.map((label) => `${label} in ${metricsOf(pairs, first, label).join(" and ")}`);
    const rest = promoted.filter((label) => label !== first && !beaten.includes(label));
    const others = rest.length === 0 ? "" : `; than ${listOf(rest)} another of the safe ones is proven better`;
    return `${first} is the best of the safe ones: proven better than ${listOf(named)}, and proven worse in nothing${others}`;
  }
  const among = pairs.filter(({ version, against }) => unbeaten.includes(version) && unbeaten.includes(against));
  const known = among.every(({ finding }) => finding === "equivalent")
    ? "proven equivalent, so that any of them will do"
    : "no difference is proven that would choose between them";
  const suggested =
    lead === null
      ? "none is suggested, since evidence is missing"
      : `${lead.label} is suggested: ahead by ${formatNumber(lead.ahead)} margins on average, which is an estimate and no proof`;
  return `${listOf(unbeaten)}: ${known}; ${suggested}`;
}

/** In which the one is proven better than the other. */
function metricsOf(pairs: readonly CandidatePair[], label: string, than: string): string[] {
  return pairs.flatMap(({ version, against, metrics }) => {
    const wanted =
      version === label && against === than ? "better" : version === than && against === label ? "worse" : null;
    return metrics.filter(({ finding }) => finding === wanted).map(({ metric }) => metric);
  });
}

/** `v2, v3 and v4` */
export function listOf(labels: readonly string[]): string {
  return labels.length < 2 ? labels.join("") : `${labels.slice(0, -1).join(", ")} and ${labels.at(-1) ?? ""}`;
}
