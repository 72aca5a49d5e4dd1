import { OURS } from "./judges.ts";
import type { Judgement } from "./judgement.ts";
import { decide, lookBeyond, PEERS, type Peer } from "./peers.ts";
import { measure, quantiles, share, type Estimate, type Measures, type RunVerdicts } from "./run-workload.ts";
import type { Outcome, Workload } from "./workload.ts";

/** One point of a judge's ROC curve on one workload: the most that it finds at no more than some rate of false rollbacks. */
export interface RocPoint {
  readonly judge: string;
  /** The parameter that is tuned for it, and what it means. */
  readonly parameter: number;
  readonly meaning: string;
  /** At most the rate asked for; less where no setting comes closer. */
  readonly falseRollback: Estimate;
  readonly power: Estimate;
  readonly medianLook: number | null;
}

/** A peer's free parameter tuned once, so that its mean loss over all workloads is the smallest. */
export interface TunedOnce {
  readonly judge: string;
  readonly parameter: number;
  readonly meaning: string;
  readonly measures: readonly Measures[];
}

/** What one peer made of all runs of one workload, with the whole of their paths. */
export interface PeerRuns {
  readonly workload: Workload;
  readonly runs: Readonly<Record<Outcome, readonly RunVerdicts[]>>;
}

/** The rates of false rollbacks, over all looks of a run, at which the judges are compared. */
export const ROC_RATES: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2];

/** A peer at one rate: the paths of its runs hold every setting. */
export function tunePeer(
  judge: string,
  harmless: readonly RunVerdicts[],
  harmful: readonly RunVerdicts[],
  rate: number,
): RocPoint {
  // The parameter is tried at the heights that runs without harm reach: the rate can change nowhere else.
  const heights = harmless.flatMap((run) => run.map(height)).sort((a, b) => a - b);
  const beyond = (parameter: number) => (judgement: Judgement) => Number(height(judgement) > parameter);
  let [low, high] = [0, heights.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (share(harmless, beyond(heights[middle])).value <= rate) high = middle;
    else low = middle + 1;
  }
  const parameter = heights[low];
  const detected = harmful.flat().flatMap(({ path = [] }) => lookBeyond(path, parameter) ?? []);
  return {
    judge,
    parameter,
    meaning: peerNamed(judge).parameter,
    falseRollback: share(harmless, beyond(parameter)),
    power: share(harmful, beyond(parameter)),
    medianLook: quantiles(detected)?.median ?? null,
  };
}

/** Rollback budgets at which ours is measured. */
const BUDGETS = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5];

/** Ours at each of its budgets. */
export async function measureOurs(
  run: (judge: string, outcome: "harmless" | "harmful") => Promise<readonly RunVerdicts[]>,
): Promise<RocPoint[]> {
  const isRolledBack = ({ everRolledBack }: Judgement) => Number(everRolledBack);
  return Promise.all(
    BUDGETS.map(async (budget) => {
      const [harmless, harmful] = await Promise.all([
        run(`${OURS}@${budget}`, "harmless"),
        run(`${OURS}@${budget}`, "harmful"),
      ]);
      const looks = harmful.flat().flatMap(({ rollbackLook }) => rollbackLook ?? []);
      return {
        judge: OURS,
        parameter: budget,
        meaning: "rollback budget",
        falseRollback: share(harmless, isRolledBack),
        power: share(harmful, isRolledBack),
        medianLook: quantiles(looks)?.median ?? null,
      };
    }),
  );
}

/** The largest budget that keeps to the rate; null where none does. */
export function pointAt(points: readonly RocPoint[], rate: number): RocPoint | null {
  return points.findLast(({ falseRollback }) => falseRollback.value <= rate) ?? null;
}

/** How many settings are tried. */
const SETTINGS = 60;

/** The one setting of a peer that suits all workloads best: a limit is moved by the same factor in each. */
export function tuneOnce(judge: string, all: readonly PeerRuns[]): TunedOnce {
  const peer = peerNamed(judge);
  const tried = settings(peer, all).map((parameter) => {
    const measures = all.map(({ workload, runs }) => measure(workload, redecided(runs, parameter)));
    return { parameter, measures, loss: measures.reduce((sum, { loss }) => sum + loss.value, 0) };
  });
  const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
  return { judge, parameter: best.parameter, meaning: peer.parameter, measures: best.measures };
}

/** The shipped setting, and the heights that runs of all workloads reach, evenly by their rank. */
function settings(peer: Peer, all: readonly PeerRuns[]): number[] {
  const heights = all
    .flatMap(({ runs }) => [...runs.harmless, ...runs.harmful].flat().map(height))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const chosen = Array.from({ length: SETTINGS }, (_, i) => heights[Math.floor((i * heights.length) / SETTINGS)]);
  return [peer.shipped, ...new Set(chosen.filter((setting) => setting !== undefined))];
}

function redecided(runs: PeerRuns["runs"], parameter: number): PeerRuns["runs"] {
  const again = (all: readonly RunVerdicts[]) => all.map((run) => run.map(({ path = [] }) => decide(path, parameter)));
  return { harmless: again(runs.harmless), harmful: again(runs.harmful), margin: again(runs.margin) };
}

/** How far the parameter could be tightened and still roll back some time. */
function height({ path = [] }: Judgement): number {
  return path.at(-1) ?? -Infinity;
}

function peerNamed(name: string): Peer {
  const peer = PEERS.find((each) => each.name === name);
  if (peer === undefined) throw new RangeError(`${name} is no peer`);
  return peer;
}
