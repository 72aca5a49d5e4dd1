import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { judgeNamed, JUDGES, OURS } from "./judge/judges.ts";
import { PEERS } from "./judge/peers.ts";
import { createPool, type Pool } from "./judge/pool.ts";
import { measure, type RunVerdicts } from "./judge/run-workload.ts";
import { rocMarkdown, summaryMarkdown, tunedMarkdown, workloadMarkdown, type WorkloadTable } from "./judge/table.ts";
import { measureOurs, pointAt, ROC_RATES, tuneOnce, tunePeer, type PeerRuns, type RocPoint } from "./judge/tune.ts";
import type { Outcome, Workload } from "./judge/workload.ts";
import { workloadNamed, WORKLOADS } from "./judge/workloads.ts";

/**
 * How often does a judge decide rightly? Sixteen simulated rollouts of an hour with a look every three minutes, thousands
 * of times each, ours beside the rules of others.
 *
 *   npm run bench judge -- [--runs 300] [--harmful 100] [--margin 100] [--workload NAME,…] [--judge NAME,…]
 *                          [--roc] [--workers 2] [--write]
 *
 * Every run is seeded by its workload, its outcome and its number, so that the same options print the same table.
 * `--judge` also takes `peers`, and `ours@0.01` for another rollback budget. `--roc` draws each judge's
 * curve of power over false rollbacks on each workload, and tunes each peer once to the least loss over all of them; it costs five times as much. `--write` puts the tables into docs/benchmarks.md,
 * with `--roc` in a section of their own.
 */

const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
/** Curves need fewer runs than the main table and have a place of their own. */
const SECTIONS = {
  judge: "Decisions on simulated rollouts",
  roc: "Power over false rollbacks, and peers tuned once",
} as const;

/** The exit code for wrong usage, as sysexits.h has it. */
const USAGE = 64;

interface Options {
  readonly runs: Readonly<Record<Outcome, number>>;
  readonly workloads: readonly Workload[];
  readonly judges: readonly string[];
  readonly roc: boolean;
  readonly workers: number;
  readonly write: boolean;
}

export async function run(args: string[]): Promise<void> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    // A misspelt name or number, found before an hour of work and not after it.
    stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = USAGE;
    return;
  }
  const pool = createPool(options.workers);
  const tables: WorkloadTable[] = [];
  const peerRuns = new Map<string, PeerRuns[]>();
  try {
    for (const workload of options.workloads) {
      const began = performance.now();
      const table = await measureWorkload(pool, workload, options, peerRuns);
      tables.push(table);
      stdout.write(`${workloadMarkdown(table)}\n\n${options.roc ? `${rocMarkdown(table)}\n\n` : ""}`);
      stderr.write(`${workload.name}: ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
    }
  } finally {
    pool.close();
  }
  stdout.write(`${summaryMarkdown(tables)}\n`);
  if (!options.roc) {
    if (options.write) write("judge", [INTRODUCTION, summaryMarkdown(tables), ...tables.map(workloadMarkdown)]);
    return;
  }
  const tuned = tunedMarkdown([...peerRuns].map(([judge, all]) => tuneOnce(judge, all)));
  stdout.write(`${tuned}\n`);
  if (options.write) write("roc", [ROC_INTRODUCTION, tuned, ...tables.map(rocMarkdown)]);
}

/** @throws an error whose message says which option is wrong. */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: "string", default: "300" },
      harmful: { type: "string", default: "100" },
      margin: { type: "string" },
      workload: { type: "string", default: WORKLOADS.map(({ name }) => name).join(",") },
      judge: { type: "string", default: JUDGES.join(",") },
      roc: { type: "boolean", default: false },
      workers: { type: "string", default: "2" },
      write: { type: "boolean", default: false },
    },
  });
  const workloads = values.workload.split(",").map(workloadNamed);
  if (values.write && workloads.length < WORKLOADS.length)
    throw new RangeError("--write wants all workloads; leave out --workload");
  const judges = values.judge
    .split(",")
    .flatMap((name) => (name === "peers" ? PEERS.map((peer) => peer.name) : [name]));
  for (const name of judges) judgeNamed(name, { wholePath: false });
  return {
    runs: {
      harmless: readCount("runs", values.runs),
      harmful: readCount("harmful", values.harmful),
      margin: readCount("margin", values.margin ?? values.harmful),
    },
    workloads,
    judges,
    roc: values.roc,
    workers: readCount("workers", values.workers),
    write: values.write,
  };
}

/** Adds to `peerRuns` what tuning over all workloads needs. */
async function measureWorkload(
  pool: Pool,
  workload: Workload,
  options: Options,
  peerRuns: Map<string, PeerRuns[]>,
): Promise<WorkloadTable> {
  const count = (outcome: Outcome) => Math.max(2, Math.round(options.runs[outcome] * workload.runsShare));
  const judged = (outcome: Outcome, judges: readonly string[]) =>
    inSlices(pool, { workload: workload.name, outcome, judges, wholePath: options.roc }, count(outcome));
  const [harmless, harmful, margin] = await Promise.all([
    judged("harmless", options.judges),
    judged("harmful", options.judges),
    judged("margin", options.judges),
  ]);
  const measures = new Map(
    options.judges.map((judge, i) => [
      judge,
      measure(workload, { harmless: harmless[i], harmful: harmful[i], margin: margin[i] }),
    ]),
  );
  const roc = new Map<string, (RocPoint | null)[]>();
  for (const [i, judge] of options.roc ? options.judges.entries() : []) {
    if (judge === OURS) {
      const points = await measureOurs(async (name, outcome) => (await judged(outcome, [name]))[0]);
      roc.set(
        judge,
        ROC_RATES.map((rate) => pointAt(points, rate)),
      );
    } else if (!judge.startsWith(`${OURS}@`)) {
      roc.set(
        judge,
        ROC_RATES.map((rate) => tunePeer(judge, harmless[i], harmful[i], rate)),
      );
      const runs = { harmless: harmless[i], harmful: harmful[i], margin: margin[i] };
      peerRuns.set(judge, [...(peerRuns.get(judge) ?? []), { workload, runs }]);
    }
  }
  return {
    workload,
    runs: { harmless: count("harmless"), harmful: count("harmful"), margin: count("margin") },
    measures,
    roc,
  };
}

/** Small enough that no process idles long at the end, large enough that messages cost nothing. */
const SLICE_RUNS = 20;

/** The verdicts of all runs in their order, whichever process did which. */
async function inSlices(
  pool: Pool,
  what: Omit<Parameters<Pool["run"]>[0], "from" | "to">,
  runs: number,
): Promise<RunVerdicts[][]> {
  const starts = Array.from({ length: Math.ceil(runs / SLICE_RUNS) }, (_, i) => i * SLICE_RUNS);
  const slices = await Promise.all(
    starts.map((from) => pool.run({ ...what, from, to: Math.min(runs, from + SLICE_RUNS) })),
  );
  return what.judges.map((_, judge) => slices.flatMap((verdicts) => verdicts[judge]));
}

function readCount(option: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`--${option} is ${text}, not a whole number from 1 on`);
  return count;
}

const INTRODUCTION = `An hour of both arms, a look every 3 minutes. A cell of the first table: harmless candidates rolled back at any of the 20 looks, even after a promotion / harmful candidates rolled back, @ median look.
Budgets of ours: 5 % false rollbacks and 5 % promotions at the margin. Guards, the smallest estimate that may roll back: 5 % for latency and cost, a ratio of 1.25 in the tail, 1.5 for errors, 0.10 points for scores.
Loss = 10 P(promote harmful) + 3 P(roll back harmless) + hours that harmful traffic is live + half the hours until a harmless candidate is promoted.
The peers follow the public rules of Kayenta (growing window of minute points), Flagger (fifth failed check of a fixed limit) and Argo Rollouts (fourth), and promote at the end what they did not roll back. ± is one standard error.`;

const ROC_INTRODUCTION = `\`npm run bench judge -- --roc\`. How much each judge finds at the same rate of false rollbacks over all looks: a peer's free parameter is tuned on each workload to that rate, which nobody can do for a rollout of his own; ours takes
the largest of six rollback budgets (1, 2, 5, 10, 25, 50 %) that keeps to it, its guards as they are. A cell: harmful candidates rolled back %, @ median look, and in brackets the false rollbacks that the setting comes to. A dash: no setting keeps to the rate.

Each peer tuned once over all workloads, to the least loss:`;

/** Puts a section in its place in the document, or at its end when it is new. */
function write(section: keyof typeof SECTIONS, parts: readonly string[]): void {
  const [start, end] = [`<!-- ${section}:start -->`, `<!-- ${section}:end -->`];
  const before = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, "utf8") : "# Benchmarks\n";
  const [from, to] = [before.indexOf(start), before.indexOf(end)];
  const block = `${start}\n\n${parts.join("\n\n")}\n\n${end}`;
  const after =
    from >= 0 && to > from
      ? before.slice(0, from) + block + before.slice(to + end.length)
      : `${before.trimEnd()}\n\n## ${SECTIONS[section]}\n\n${block}\n`;
  writeFileSync(DOCUMENT, after);
}
