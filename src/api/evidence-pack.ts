import type { EvidencePack } from "../model/event.ts";
import type { Finding } from "../model/finding.ts";
import { Report, type LookView } from "../model/run.ts";
import type { RunStore } from "../store/runs.ts";
import { toLookView } from "./run-view.ts";

const PAGE = 200;

/** What the record knows of a run; null when it is not there, or never looked. */
export async function readEvidencePack(
  store: Pick<RunStore, "readRun" | "listLooks">,
  project: string,
  id: string,
): Promise<EvidencePack | null> {
  const stored = await store.readRun(project, id);
  if (stored === null || stored.report === null) return null;
  const report = Report.parse(JSON.parse(stored.report));
  const looks: LookView[] = [];
  for (let cursor: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof store.listLooks>> = await store.listLooks(project, id, {
      limit: PAGE,
      cursor,
    });
    looks.push(...page.items.map(toLookView));
    cursor = page.nextCursor;
    if (cursor === null) return { report, looks, drivers: driversOf(report) };
  }
}

/** The metrics that are among the reasons, for each candidate, with the units that drove them. */
function driversOf(report: Report): EvidencePack["drivers"] {
  const arms = report.candidates ?? [
    { version: { label: report.candidate?.label ?? "" }, reasons: report.reasons, findings: report.findings },
  ];
  return arms.flatMap(({ version, reasons, findings }) => {
    const named = new Set(reasons.map(({ metric }) => metric));
    return findings.filter(({ metric }) => named.has(metric)).map((finding) => toDriver(version.label, finding));
  });
}

function toDriver(candidate: string, { metric, finding, flips, examples }: Finding): EvidencePack["drivers"][number] {
  return { candidate, metric, finding, flips, examples };
}
