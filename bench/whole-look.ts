import { cpuUsage, stdout } from "node:process";
import type { ArmAnswer } from "../src/judge/gathered.ts";
import { judge } from "../src/judge/judge.ts";
import type { Metric } from "../src/model/analysis.ts";
import { readAnalysis } from "../src/model/read-analysis.ts";
import type { Run } from "../src/model/run.ts";
import { randomInteger, seeded, standardNormal, type Random } from "../src/stats/random.ts";

const METRICS = 12;
const ROWS = 10_000;
const GOAL_MS = 50;
/** Looks before the measured ones: the compiler wants to have seen the code. */
const WARM_UP = 10;
const LOOKS = 21;

/** CPU of one look at twelve metrics with 10,000 rows per arm and metric: the judge as it stands, on what sources gave. */
export function benchWholeLook(): void {
  stdout.write(`\na look at ${METRICS} metrics with ${ROWS} rows per arm and metric, CPU of the process\n`);
  stdout.write("              rows       first look           median          slowest            goal\n");
  for (const [rows, rowsPerUnit] of [
    ["one per session", 1],
    ["five per session", 5],
  ] as const) {
    const run = runOf(analysis());
    const gathered = run.analysis.metrics.map((metric, index) => ({
      metric,
      baseline: arm(metric, 2 * index + 1, rowsPerUnit),
      candidate: arm(metric, 2 * index + 2, rowsPerUnit),
    }));
    const look = () => {
      const before = cpuUsage();
      judge(run, gathered, null, "2026-01-01T00:30:00Z");
      const { user, system } = cpuUsage(before);
      return (user + system) / 1000;
    };
    const first = look();
    for (let i = 0; i < WARM_UP; i++) look();
    const times = Array.from({ length: LOOKS }, look).sort((a, b) => a - b);
    const median = times[Math.floor(LOOKS / 2)];
    const cells = [first, median, times[LOOKS - 1]].map((ms) => `${ms.toFixed(1)} ms`.padStart(16));
    const goal = `< ${GOAL_MS} ms ${median < GOAL_MS ? "met" : "MISSED"}`;
    stdout.write(`${rows.padStart(18)} ${cells.join(" ")} ${goal.padStart(16)}\n`);
  }
}

/** Four latencies, four costs, two scores, two error rates: what a look at an agent holds. */
function analysis() {
  const kinds = ["latency", "latency", "cost", "cost", "score", "errors"];
  const metrics = [...kinds, ...kinds].map(
    (kind, index) =>
      `  - { name: ${kind}-${index}, kind: ${kind}, source: bench, query: { value: v }${kind === "score" ? ", scale: [1, 5]" : ""} }`,
  );
  const text = `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: bench }\nspec:\n  unit: session\n  metrics:\n${metrics.join("\n")}\n`;
  return readAnalysis(text, "the benchmark").analysis;
}

function runOf(analysis: Run["analysis"]): Run {
  return {
    id: "run_bench",
    analysis,
    analysisDigest: "",
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window: null,
    args: {},
    rollout: null,
  };
}

const laws: Readonly<Record<Metric["kind"], (random: Random) => number>> = {
  latency: (random) => 0.2 * Math.exp(0.8 * standardNormal(random)),
  // One session in ten costs nothing.
  cost: (random) => (random() < 0.1 ? 0 : 0.02 * Math.exp(0.8 * standardNormal(random))),
  score: (random) => 1 + Math.max(randomInteger(random, 5), randomInteger(random, 5)),
  errors: (random) => (random() < 0.01 ? 1 : 0),
  gauge: (random) => 10 + standardNormal(random),
};

function arm({ kind }: Metric, seed: number, rowsPerUnit: number): ArmAnswer {
  const random = seeded(seed);
  const draw = laws[kind];
  const units = Math.floor(ROWS / rowsPerUnit);
  return {
    kind: "answer",
    answer: {
      samples: {
        shape: "samples",
        values: Float64Array.from({ length: ROWS }, () => draw(random)),
        units: Int32Array.from({ length: ROWS }, (_, row) => row % units),
        unitNames: Array.from({ length: units }, (_, unit) => `s${unit}`),
        at: null,
        strata: null,
        stratumNames: [],
      },
      faults: [],
      warnings: [],
    },
  };
}
