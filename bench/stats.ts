/**
 * How fast are the rank statistics, beside scipy and beside Kayenta's interval, and what does a whole look cost?
 *
 *   npm run bench stats [values per arm …]        default 100 1000 10000 100000 1000000
 *
 * Python with scipy is installed below .cache/ on the first run; without it the comparison is left out. The same data are written to a file for both sides; blocks of calls alternate between them, and the medians of the
 * blocks are compared.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process, { argv, execArgv, execPath, resourceUsage, stderr, stdout, version } from "node:process";
import { fileURLToPath } from "node:url";
import { hodgesLehmannSorted } from "../src/stats/hodges-lehmann.ts";
import { kolmogorovSmirnovFromSummary } from "../src/stats/kolmogorov-smirnov.ts";
import { mannWhitneyFromSummary } from "../src/stats/mann-whitney.ts";
import { randomInteger, seeded, standardNormal } from "../src/stats/random.ts";
import { rankSummary } from "../src/stats/rank-summary.ts";
import { shiftInterval } from "../src/stats/shift-interval.ts";
import { sortSample } from "../src/stats/sort-sample.ts";
import { placementVariance, superiorityFromSummary } from "../src/stats/superiority.ts";
import { kayentaInterval } from "./kayenta-interval.ts";
import { startScipyPeer, type ScipyPeer } from "./scipy-peer.ts";
import { benchWholeLook } from "./whole-look.ts";

const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const SELF = fileURLToPath(import.meta.url);
/** Blocks per side; their medians are compared. */
const BLOCKS = 9;
/** A block takes about this long. */
const BLOCK_MS = 150;
/** What the project promises: times scipy's time, by values per arm. */
const GOALS = new Map([
  [100, 100],
  [1000, 7],
  [10_000, 4],
  [100_000, 4],
  [1_000_000, 7],
]);
const HODGES_LEHMANN_GOAL = 4;

interface Arms {
  readonly candidate: Float64Array;
  readonly baseline: Float64Array;
}

/** Latencies in seconds, the candidate's two percent longer; and scores 1 to 5, the candidate's a little worse. */
const laws: Readonly<Record<string, (n: number, seed: number) => Arms>> = {
  latencies(n, seed) {
    const random = seeded(seed);
    const arm = (factor: number) =>
      Float64Array.from({ length: n }, () => factor * 0.2 * Math.exp(0.8 * standardNormal(random)));
    return { candidate: arm(1.02), baseline: arm(1) };
  },
  scores(n, seed) {
    const random = seeded(seed);
    const arm = (worse: number) =>
      Float64Array.from({ length: n }, () =>
        random() < worse ? 1 : 1 + Math.max(randomInteger(random, 5), randomInteger(random, 5)),
      );
    return { candidate: arm(0.05), baseline: arm(0.03) };
  },
};

/**
 * Sort both arms, one pass, Mann-Whitney, Kolmogorov-Smirnov, theta with its DeLong variance: what a look asks of one
 * metric.
 */
function ours({ candidate, baseline }: Arms) {
  const summary = rankSummary(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"));
  return {
    mwu: mannWhitneyFromSummary(summary, { method: "asymptotic" }),
    ks: kolmogorovSmirnovFromSummary(summary, { method: "asymptotic" }),
    theta: placementVariance(summary),
  };
}

/** The exit code for wrong usage, as sysexits.h has it. */
const USAGE = 64;
const SIZES = [100, 1000, 10_000, 100_000, 1_000_000];

export async function run(args: string[]): Promise<void> {
  const sizes = args.length === 0 ? SIZES : args.map(Number);
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 2)) {
    stderr.write(`values per arm are whole numbers of at least 2, got ${args.join(" ")}\n`);
    process.exitCode = USAGE;
    return;
  }
  stdout.write(`node ${version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores\n`);
  benchWholeLook();
  await compareWithScipy(sizes);
  compareIntervals(sizes);
  if (sizes.includes(1_000_000)) comparePeaks();
}

async function compareWithScipy(sizes: readonly number[]): Promise<void> {
  const peer = startScipyPeer(CACHE);
  if (typeof peer === "string") stdout.write(`\nno comparison with scipy: ${peer}\n`);
  stdout.write("\nsort + Mann-Whitney + Kolmogorov-Smirnov + theta with DeLong variance, per call\n");
  row(["law", "n = m", "ours", "scipy MWU + KS", "ratio", "goal", "", "with interval"]);
  for (const [law, arms] of Object.entries(laws)) {
    for (const n of sizes) await compare(law, n, arms, typeof peer === "string" ? undefined : peer);
  }
  if (typeof peer !== "string") peer.close();
}

async function compare(
  law: string,
  n: number,
  arms: (n: number, seed: number) => Arms,
  peer: ScipyPeer | undefined,
): Promise<void> {
  const sets = Array.from({ length: Math.max(1, Math.min(50, Math.floor(1e6 / n))) }, (_, i) => arms(n, i + 1));
  const call = (i: number) => ours(sets[i % sets.length]);
  const calls = callsPerBlock(call);
  const mine: number[] = [];
  const theirs: number[] = [];
  let theirCalls = 1;
  if (peer) {
    await peer.ask({ cmd: "load", n, candidate: write("candidate", sets), baseline: write("baseline", sets) });
    const { ms } = await peer.ask({ cmd: "time", calls: 3 });
    theirCalls = Math.max(1, Math.round((3 * BLOCK_MS) / Number(ms)));
    const answer = await peer.ask({ cmd: "answer" });
    check(ours(sets[0]), answer, `${law}, n = ${n}`);
  }
  for (let block = 0; block < BLOCKS; block++) {
    mine.push(timed(call, calls) / calls);
    if (peer) theirs.push(Number((await peer.ask({ cmd: "time", calls: theirCalls }))["ms"]) / theirCalls);
  }
  const withInterval = (i: number) => {
    const { candidate, baseline } = sets[i % sets.length];
    return superiorityFromSummary(rankSummary(sortSample(candidate, "candidate"), sortSample(baseline, "baseline")));
  };
  const interval = Array.from({ length: 3 }, () => timed(withInterval, calls) / calls);
  const ratio = median(theirs) / median(mine);
  const goal = law === "latencies" ? GOALS.get(n) : undefined;
  row([
    law,
    String(n),
    duration(median(mine)),
    peer ? duration(median(theirs)) : "-",
    peer ? `${ratio.toFixed(1)}x` : "-",
    goal === undefined ? "" : `>= ${goal}x`,
    goal === undefined || !peer ? "" : verdict(ratio >= goal),
    duration(median(interval)),
  ]);
}

/** Both sides must have computed the same thing. */
function check(got: ReturnType<typeof ours>, want: Readonly<Record<string, number | string>>, where: string): void {
  const near = (a: number, b: number, slack: number) => Math.abs(a - b) <= slack * Math.abs(b) + 1e-300;
  const agrees =
    got.mwu.u === want["u"] &&
    near(got.mwu.p, Number(want["mwu"]), 1e-8) &&
    near(got.ks.statistic, Number(want["d"]), 1e-12) &&
    // scipy takes the law of one sample of the rounded effective size where we take the limit.
    near(got.ks.p, Number(want["ks"]), 0.05);
  if (!agrees) throw new Error(`${where}: scipy says ${JSON.stringify(want)}, we say ${JSON.stringify(got)}`);
}

function compareIntervals(sizes: readonly number[]): void {
  stdout.write("\nintervals for the shift on latencies, per call (sorted arms; Kayenta's ranks anew at each step)\n");
  row([
    "n = m",
    "sort both",
    "Hodges-Lehmann",
    "x sort",
    "goal",
    "",
    "superiority shift",
    "x sort",
    "Kayenta's",
    "x ours",
  ]);
  for (const n of sizes) {
    const { candidate, baseline } = laws["latencies"](n, 1);
    const x = sortSample(candidate, "candidate");
    const y = sortSample(baseline, "baseline");
    const summary = rankSummary(x, y);
    const both = () => [sortSample(candidate, "candidate"), sortSample(baseline, "baseline")];
    const classic = () => hodgesLehmannSorted(x, y, { method: "asymptotic" }, summary);
    const inverted = () => shiftInterval(x, y, { alphaLower: 0.01, alphaUpper: 0.01 });
    const [sort, hodgesLehmann, shift] = alternating([both, classic, inverted]);
    const kayenta =
      n <= 100_000 ? alternating([() => kayentaInterval(candidate, baseline, 2.3263478740408408)])[0] : NaN;
    const ratio = hodgesLehmann / sort;
    const goal = n === 1_000_000;
    row([
      String(n),
      duration(sort),
      duration(hodgesLehmann),
      `${ratio.toFixed(1)}x`,
      goal ? `< ${HODGES_LEHMANN_GOAL}x` : "",
      goal ? verdict(ratio < HODGES_LEHMANN_GOAL) : "",
      duration(shift),
      `${(shift / sort).toFixed(1)}x`,
      Number.isNaN(kayenta) ? "-" : duration(kayenta),
      Number.isNaN(kayenta) ? "-" : `${(kayenta / hodgesLehmann).toFixed(0)}x`,
    ]);
  }
}

/** Peak memory, each side in a process of its own. */
function comparePeaks(): void {
  stdout.write("\npeak memory above the data, one call of everything (sort, tests, theta, both intervals)\n");
  row(["n = m", "data", "peak above", "bytes per value"]);
  for (const n of [250_000, 500_000, 1_000_000]) {
    const { stdout: out } = spawnSync(execPath, [...execArgv, SELF, "--memory", String(n)], { encoding: "utf8" });
    const megabytes = Number(out);
    row([String(n), `${(16 * n) / 1e6} MB`, `${megabytes.toFixed(0)} MB`, ((megabytes * 1e6) / (2 * n)).toFixed(0)]);
  }
}

/** The child process of `comparePeaks`: prints how far the resident set grew, in MB. */
function reportPeak(n: number): void {
  const warm = laws["latencies"](2000, 2);
  const everything = ({ candidate, baseline }: Arms) => {
    const x = sortSample(candidate, "candidate");
    const y = sortSample(baseline, "baseline");
    const summary = rankSummary(x, y);
    superiorityFromSummary(summary);
    mannWhitneyFromSummary(summary);
    kolmogorovSmirnovFromSummary(summary, { method: "asymptotic" });
    hodgesLehmannSorted(x, y, {}, summary);
    shiftInterval(x, y, { alphaLower: 0.05, alphaUpper: 0.05 });
  };
  for (let i = 0; i < 20; i++) everything(warm);
  const data = laws["latencies"](n, 1);
  const before = resourceUsage().maxRSS;
  everything(data);
  stdout.write(String(((resourceUsage().maxRSS - before) * 1024) / 1e6));
}

function callsPerBlock(call: (i: number) => unknown): number {
  // Also warms up the compiler.
  let calls = 1;
  for (;;) {
    const ms = timed(call, calls);
    if (ms > BLOCK_MS / 4) return Math.max(1, Math.round((calls * BLOCK_MS) / ms));
    calls *= 2;
  }
}

function timed(call: (i: number) => unknown, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) call(i);
  return performance.now() - start;
}

/** The median time of one call of each, blocks taking turns. */
function alternating(all: readonly ((i: number) => unknown)[]): number[] {
  const calls = all.map(callsPerBlock);
  const times = all.map((): number[] => []);
  for (let block = 0; block < BLOCKS; block++) {
    for (const [i, call] of all.entries()) times[i].push(timed(call, calls[i]) / calls[i]);
  }
  return times.map(median);
}

function write(arm: keyof Arms, sets: readonly Arms[]): string {
  mkdirSync(`${CACHE}/bench-data`, { recursive: true });
  const path = `${CACHE}/bench-data/${arm}.f64`;
  writeFileSync(
    path,
    Buffer.concat(sets.map((set) => Buffer.from(set[arm].buffer, set[arm].byteOffset, set[arm].byteLength))),
  );
  return path;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  return ms < 1 ? `${(1000 * ms).toFixed(1)} us` : `${ms.toPrecision(3)} ms`;
}

function verdict(met: boolean): string {
  return met ? "met" : "MISSED";
}

function row(cells: readonly string[]): void {
  stdout.write(`${cells.map((cell) => cell.padStart(15)).join(" ")}\n`);
}

// Not a way to start the benchmark: the child process of `comparePeaks`.
if (argv[1] === SELF && argv[2] === "--memory") reportPeak(Number(argv[3]));
