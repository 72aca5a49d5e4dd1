import { OURS } from "./judges.ts";
import type { Judgement } from "./judgement.ts";
import { decide, lookBeyond, PEERS, type Peer } from "./peers.ts";
import { measure, quantiles, share, type Estimate, type Measures, type RunVerdicts } from "./run-workload.ts";
import type { Outcome, Workload } from "./workload.ts";

/** A judge's free parameter tuned on one workload to the same rate of false rollbacks, and what it finds then. */
export interface EqualRate {
  readonly judge: string;
  /** The parameter, and what it means. */
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

const EQUAL_RATE = 0.05;

/** A peer at the equal rate: the paths of its runs hold every setting. */
export function tunePeer(judge: string, harmless: readonly RunVerdicts[], harmful: readonly RunVerdicts[]): EqualRate {
  // The parameter is tried at the heights that runs without harm reach: the rate can change nowhere else.
  const heights = harmless.flatMap((run) => run.map(height)).sort((a, b) => a - b);
  const beyond = (parameter: number) => (judgement: Judgement) => Number(height(judgement) > parameter);
  let [low, high] = [0, heights.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (share(harmless, beyond(heights[middle])).value <= EQUAL_RATE) high = middle;
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

/** Rollback budgets from which ours is chosen. */
const BUDGETS = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5];

/** Ours at the equal rate: the largest budget of the list whose rate on the harmless stays within it. */
export async function tuneOurs(
  run: (judge: string, outcome: "harmless" | "harmful") => Promise<readonly RunVerdicts[]>,
): Promise<EqualRate> {
  const rate = async (budget: number) =>
    share(await run(`${OURS}@${budget}`, "harmless"), ({ everRolledBack }) => Number(everRolledBack));
  let [low, high] = [0, BUDGETS.length];
  let falseRollback = await rate(BUDGETS[low]);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const tried = await rate(BUDGETS[middle]);
    if (tried.value <= EQUAL_RATE) [low, falseRollback] = [middle, tried];
    else high = middle;
  }
  const harmful = await run(`${OURS}@${BUDGETS[low]}`, "harmful");
  const looks = harmful.flat().flatMap(({ rollbackLook }) => rollbackLook ?? []);
  return {
    judge: OURS,
    parameter: BUDGETS[low],
    meaning: "rollback budget",
    falseRollback,
    power: share(harmful, ({ everRolledBack }) => Number(everRolledBack)),
    medianLook: quantiles(looks)?.median ?? null,
  };
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
