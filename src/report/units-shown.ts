import { formatNumber } from "../judge/format.ts";
import type { Finding } from "../model/finding.ts";

/** One unit that a report shows: `task-17: 4 → 2`, or a value with a link to its trace. */
export interface UnitShown {
  readonly text: string;
  /** As the source gave it; null where there is none. */
  readonly traceUrl: string | null;
}

/** The units that drove a metric: items that the two versions answered differently, and the candidate's worst ones. */
export function unitsShown({
  flips,
  examples,
  unit,
}: Finding): { readonly title: string; readonly units: UnitShown[] }[] {
  const lists = [
    {
      title: `${unit}s that changed, baseline → candidate, worse ones first`,
      units: (flips ?? []).map((flip) => ({
        text: `${flip.unit}: ${formatNumber(flip.baseline)} → ${formatNumber(flip.candidate)}`,
        traceUrl: null,
      })),
    },
    {
      title: "the candidate's worst, with their traces",
      units: (examples ?? []).map((example) => ({
        text: `${example.unit === null ? "" : `${example.unit}: `}${formatNumber(example.value)}`,
        traceUrl: example.traceUrl,
      })),
    },
  ];
  return lists.filter(({ units }) => units.length > 0);
}

/** Only what a browser opens as a page may be a link; a source could name anything. */
export function isLink(url: string): boolean {
  return /^https?:\/\//i.test(url);
}
