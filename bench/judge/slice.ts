import { judgeNamed } from "./judges.ts";
import { judgeRuns, type RunVerdicts } from "./run-workload.ts";
import type { Outcome } from "./workload.ts";
import { workloadNamed } from "./workloads.ts";

/** Some of the runs of one workload under one outcome, by the names of the judges: plain data, so that another process can do it. */
export interface Slice {
  readonly workload: string;
  readonly outcome: Outcome;
  readonly judges: readonly string[];
  readonly wholePath: boolean;
  readonly from: number;
  readonly to: number;
}

/** The verdicts of every run for every judge: a slice done anywhere is the same part of the same whole. */
export function runSlice({ workload, outcome, judges, wholePath, from, to }: Slice): Promise<RunVerdicts[][]> {
  const named = judges.map((name) => judgeNamed(name, { wholePath }));
  return judgeRuns(workloadNamed(workload), outcome, named, from, to);
}
