import { smallestWeight } from "../judge/next-weight.ts";
import type {
  BudgetAccount,
  NextWeight,
  RolloutListItem,
  RolloutStage,
  RolloutState,
  StageState,
} from "../model/rollout.ts";
import { Report, type Rollout } from "../model/run.ts";
import type { Stage } from "../model/stage.ts";
import { epochSeconds, toDuration } from "../model/time.ts";
import type { Spent, StoredRollout, StoredRun } from "../store/runs.ts";
import { toRunListItem } from "./run-view.ts";

/** A rollout as callers read it, but for what takes the report of its newest run. */
export function toRolloutListItem(stored: StoredRollout): RolloutListItem {
  const newest = newestOf(stored);
  const { run } = newest;
  const place = placeOf(newest);
  const declared = run.analysis.stages ?? [];
  const stages = stagesOf(stored, declared);
  const times = stored.runs.flatMap(({ createdAt, decidedAt }) => [
    createdAt,
    ...(decidedAt === null ? [] : [decidedAt]),
  ]);
  const { rollback, promote } = run.analysis.budgets;
  const used = stages.map((stage) => usedOf(stored, stage.name));
  return {
    namespace: place.namespace,
    name: place.name,
    revision: place.revision,
    analysis: { name: run.analysis.name, digest: run.analysisDigest },
    baseline: run.baseline,
    candidates: run.candidates ?? [run.candidate],
    state: stateOf(stages, declared),
    budgets: {
      rollback: toAccount(
        rollback,
        1,
        used.reduce((sum, one) => sum + one.rollback, 0),
      ),
      promote: toAccount(promote, 1, Math.max(0, ...used.map((one) => one.promote))),
    },
    stages,
    startedAt: times.reduce((first, at) => (at < first ? at : first)),
    updatedAt: times.reduce((last, at) => (at > last ? at : last)),
    links: { self: selfOf(place, run.analysis.name) },
  };
}

/**
 * What the stage after those that were promoted should begin with, by its declaration and by what the newest run has seen.
 *
 * @param report  of the newest run, as it is stored.
 */
export function nextWeightOf(
  stored: StoredRollout,
  { state, stages }: RolloutListItem,
  report: string,
): NextWeight | null {
  const { run } = newestOf(stored);
  const declared = run.analysis.stages ?? [];
  const first = declared.find(({ name }) => stages.some((one) => one.name === name && one.state === "not_started"));
  if (state !== "waiting" || first === undefined) return null;
  const together = first.group === null ? [first] : declared.filter(({ group }) => group === first.group);
  const seen = declared.find(({ name }) => name === run.rollout?.stage);
  const { ownEvidence, findings, look, window } = Report.parse(JSON.parse(report));
  const smallest =
    seen === undefined || seen.weight === null || window === null
      ? null
      : smallestWeight(
          {
            weight: seen.weight,
            seconds: Math.min(epochSeconds(look.at), epochSeconds(window.end)) - epochSeconds(window.start),
            findings: ownEvidence?.findings ?? findings,
          },
          { seconds: first.durationSeconds, minUnits: first.minUnits, promoteBudget: run.analysis.budgets.promote },
        );
  return {
    advice: "advice only: Touchstone shifts no traffic, and no verdict depends on it",
    stages: together.map(({ name }) => name),
    ...weightsOf(first, smallest),
  };
}

function weightsOf(
  { name, weight, durationSeconds }: Stage,
  smallest: number | "none" | null,
): Pick<NextWeight, "weight" | "smallestWeight" | "text"> {
  const time = toDuration(durationSeconds);
  const stage =
    weight === null ? `the stage ${name} declares no weight` : `the stage ${name} declares ${percent(weight)}`;
  if (smallest === null)
    return {
      weight,
      smallestWeight: null,
      text: `${stage}; what the metrics have seen does not say how much it needs`,
    };
  if (smallest === "none")
    return {
      weight,
      smallestWeight: null,
      text: `${stage}; in ${time} even half of the traffic would hardly prove an unchanged candidate safe, so make the stage longer`,
    };
  const enough = `from ${percent(smallest)} on, ${time} prove an unchanged candidate safe four times in five`;
  if (weight !== null && weight >= 1)
    return { weight, smallestWeight: smallest, text: `${stage}, which leaves no baseline to compare with` };
  // Beyond a half it is the baseline that has little traffic.
  const tooMuch = weight !== null && weight > 1 - smallest;
  return {
    weight: weight === null ? smallest : Math.max(weight, smallest),
    smallestWeight: smallest,
    text: `${stage}; ${enough}${tooMuch ? ", but so much leaves the baseline too little" : ""}`,
  };
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))}%`;

function newestOf({ runs }: StoredRollout): StoredRun {
  const [newest] = runs;
  if (newest === undefined) throw new RangeError("a rollout without a run was listed");
  return newest;
}

function placeOf({ run }: StoredRun): Rollout {
  if (run.rollout === null) throw new RangeError(`run ${run.id} belongs to no rollout`);
  return run.rollout;
}

function selfOf({ namespace, name, revision }: Rollout, analysis: string): string {
  const path = [namespace, name, revision].map(encodeURIComponent).join("/");
  return `/v1/rollouts/${path}?analysis=${encodeURIComponent(analysis)}`;
}

/** The declared stages in their order, then those that nobody declared as they came. */
function stagesOf(stored: StoredRollout, declared: readonly Stage[]): RolloutStage[] {
  const came = [
    ...stored.deleted.map(({ stage }) => stage),
    ...stored.runs.map(({ run }) => run.rollout?.stage ?? null).toReversed(),
  ];
  const names = new Set<string | null>([...declared.map(({ name }) => name), ...came]);
  const { budgets } = newestOf(stored).run.analysis;
  return [...names].map((name): RolloutStage => {
    const stage = declared.find((one) => one.name === name);
    const runs = stored.runs.filter(({ run }) => (run.rollout?.stage ?? null) === name);
    const used = usedOf(stored, name);
    return {
      name,
      declared: stage !== undefined,
      weight: stage?.weight ?? null,
      group: stage?.group ?? null,
      carry: stage?.carry ?? false,
      state: stageState(runs[0]),
      // Stages that nobody declared draw on one budget; what is left of it stands with the rollout.
      rollback: toAccount(budgets.rollback, stage?.rollbackShare ?? used.rollback, used.rollback),
      promote: toAccount(budgets.promote, 1, used.promote),
      deletedAttempts: stored.deleted
        .filter((one) => one.stage === name)
        .reduce((most, { attempts }) => Math.max(most, attempts), 0),
      runs: runs.map((one) => {
        const { id, status, verdict, effectiveVerdict, summary, createdAt, decidedAt, links } = toRunListItem(one);
        return {
          id,
          attempt: one.attempt,
          status,
          verdict,
          effectiveVerdict,
          carriedFrom: one.run.carried?.stages ?? [],
          summary,
          createdAt,
          decidedAt,
          links: { self: links.self, report: links.report },
        };
      }),
    };
  });
}

function usedOf({ runs, deleted }: StoredRollout, name: string | null): Spent {
  const all = [
    ...runs.flatMap(({ run, used }) => ((run.rollout?.stage ?? null) === name ? [used] : [])),
    ...deleted.flatMap(({ stage, used }) => (stage === name ? [used] : [])),
  ];
  return {
    rollback: all.reduce((sum, { rollback }) => sum + rollback, 0),
    promote: all.reduce((sum, { promote }) => sum + promote, 0),
  };
}

function toAccount(budget: number, share: number, used: number): BudgetAccount {
  return { budget: budget * share, spent: budget * used, left: budget * Math.max(0, share - used) };
}

const BY_VERDICT = { promote: "promoted", rollback: "rolled_back", pause: "paused" } as const;

function stageState(newest: StoredRun | undefined): StageState {
  if (newest === undefined) return "not_started";
  const { status, override, verdict } = newest;
  if (status === "queued" || status === "running") return "running";
  const effective = override?.verdict ?? verdict;
  if (effective !== null) return BY_VERDICT[effective];
  return status === "failed" ? "failed" : "cancelled";
}

/** The worst first: a ring that was rolled back ends itself alone, any other stage the rollout. */
function stateOf(stages: readonly RolloutStage[], declared: readonly Stage[]): RolloutState {
  const back = stages.filter(({ state }) => state === "rolled_back");
  const isWhole = (group: string) => stages.every((one) => one.group !== group || one.state === "rolled_back");
  if (back.some(({ group }) => group === null || isWhole(group))) return "rolled_back";
  if (back.length > 0) return "partly_rolled_back";
  const worst = (["running", "failed", "paused", "cancelled"] as const).find((state) =>
    stages.some((stage) => stage.state === state),
  );
  if (worst !== undefined) return worst;
  return declared.length > 0 && stages.some(({ state }) => state === "not_started") ? "waiting" : "promoted";
}
