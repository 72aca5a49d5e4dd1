import { judge } from "../../src/judge/judge.ts";
import type { ArmAnswer } from "../../src/judge/gathered.ts";
import { analysisDigest, type Analysis } from "../../src/model/analysis.ts";
import type { Report, Run } from "../../src/model/run.ts";
import { gather } from "./samples.ts";

/** One look at everything, arms in the order of the metrics, baseline first. */
export function judgeOnce(
  analysis: Analysis,
  ...arms: (readonly [baseline: ArmAnswer, candidate: ArmAnswer])[]
): Report {
  const run: Run = {
    id: "run_1",
    analysis,
    analysisDigest: analysisDigest(analysis),
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window: null,
    args: {},
    rollout: null,
  };
  return judge(run, gather(analysis, arms), null, "2026-11-20T09:00:00.000Z").report;
}
