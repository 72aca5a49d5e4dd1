/**
 * Kayenta's own judge beside ours of the same rules, on random requests of its remote judge: the same classes and the same score? And how many a second does
 * `POST /judge` answer?
 *
 *   npm run bench kayenta -- CHECKOUT [--cases 10000] [--seed 1]
 *
 * CHECKOUT is a work tree of github.com/spinnaker/kayenta, of which the judge is compiled as it stands, since it is not among the packages of Maven Central; what it needs comes from there. Needs
 * Java 17 and Maven. Of the bundle, so build first.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { stdout } from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CanaryJudgeResult } from "../src/model/canary.ts";
import { requestOf } from "./kayenta/cases.ts";
import { serve } from "./service/api-client.ts";

const HERE = fileURLToPath(new URL("kayenta", import.meta.url));
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const MOST_SHOWN = 10;
/** Requests of the usual size, for the speed: ten metrics of an hour. */
const SPEED_REQUESTS = 2_000;
const AT_ONCE = 8;

export async function run(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { cases: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
  });
  const [checkout] = positionals;
  const missing = ["java", "javac", "mvn"].find(
    (tool) => spawnSync(tool, ["-version"], { stdio: "ignore" }).status !== 0,
  );
  if (missing !== undefined)
    return void stdout.write(`skipped: there is no ${missing} here; install Java 17 and Maven\n`);
  if (checkout === undefined || !existsSync(join(checkout, "kayenta-judge")))
    return void stdout.write("skipped: name the folder of a checkout of github.com/spinnaker/kayenta\n");

  const folder = await mkdtemp(join(tmpdir(), "touchstone-kayenta-"));
  const started: ChildProcess[] = [];
  try {
    const classPath = compile(checkout, folder);
    const env = {
      PATH: process.env["PATH"] ?? "",
      TOUCHSTONE_DATA_DIR: join(folder, "data"),
      LOG_LEVEL: "error",
    };
    const url = await serve(started, [MAIN, "serve"], env);
    stdout.write(`load average before: ${loadavg()[0]?.toFixed(1)}\n`);
    const [cases, seed] = [Number(values.cases), Number(values.seed)];
    await compare(
      classPath,
      url,
      Array.from({ length: cases }, (_, index) => requestOf(seed + index)),
      seed,
    );
    await time(classPath, url);
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

/** Class for class and score for score. */
async function compare(
  classPath: string,
  url: string,
  requests: readonly ReturnType<typeof requestOf>[],
  seed: number,
): Promise<void> {
  const theirs = (await judgeByJava(classPath, requests)).answers;
  const ours = (await judgeByPost(url, requests)).answers;
  const compared = requests.map((request, index) => {
    const [mine, real] = [ours[index], theirs[index]].map((text) => essenceOf(text ?? "null"));
    return { seed: seed + index, mine, real, byChance: hasTwoConstants(request) };
  });
  const agreeing = (some: typeof compared) =>
    `${some.filter(({ mine, real }) => mine === real).length} of ${some.length}`;
  const certain = compared.filter(({ byChance }) => !byChance);
  const differing = certain.filter(({ mine, real }) => mine !== real);
  const metrics = theirs.flatMap((text) => CanaryJudgeResult.parse(JSON.parse(text)).results);
  const labels = new Map<string, number>();
  for (const { classification } of metrics) labels.set(classification, (labels.get(classification) ?? 0) + 1);
  const shares = [...labels].sort(([a], [b]) => a.localeCompare(b)).map(([label, count]) => `${label} ${count}`);
  stdout.write(
    `${agreeing(certain)} requests agree in every class, criticality and score (of all, ${metrics.length} metrics: ${shares.join(", ")})\n` +
      `${agreeing(compared.filter(({ byChance }) => byChance))} agree where a metric is two different constants, which Kayenta judges by unseeded noise\n`,
  );
  for (const { seed, mine, real } of differing.slice(0, MOST_SHOWN))
    stdout.write(`seed ${seed}\n  Kayenta    ${real}\n  Touchstone ${mine}\n`);
}

/** Whether some metric has one value on one side and another on the other: Kayenta adds noise to them, by chance. */
function hasTwoConstants({ metricSetPairList }: ReturnType<typeof requestOf>): boolean {
  return metricSetPairList.some(({ values }) => {
    const [control, experiment] = [values.control, values.experiment].map(
      (points) => new Set(points.filter((point) => point !== "NaN")),
    );
    return control.size === 1 && experiment.size === 1 && [...control][0] !== [...experiment][0];
  });
}

/** What must be equal: class and criticality of every metric, the score and its class. */
function essenceOf(text: string): string {
  const { results, score } = CanaryJudgeResult.parse(JSON.parse(text));
  return JSON.stringify([score, results.map(({ id, classification, critical }) => [id, classification, critical])]);
}

async function time(classPath: string, url: string): Promise<void> {
  const values = (seed: number) =>
    Array.from({ length: 60 }, (_, step) => 100 + 10 * Math.sin(seed * 12.9898 + step * 78.233));
  const names = Array.from({ length: 10 }, (_, index) => `metric ${index}`);
  const requestBy = (judge: string, seed: number) => ({
    canaryConfig: {
      name: "speed",
      applications: ["x"],
      judge: { name: judge, judgeConfigurations: {} },
      metrics: names.map((name) => ({
        name,
        groups: ["g"],
        analysisConfigurations: { canary: { direction: "increase" } },
      })),
      classifier: { groupWeights: { g: 100 } },
    },
    scoreThresholds: { pass: 95, marginal: 75 },
    metricSetPairList: names.map((name, index) => ({
      name,
      id: name,
      tags: {},
      values: { control: values(seed * 20 + index), experiment: values(seed * 20 + index + 10) },
      scopes: {},
    })),
  });
  const requestsBy = (judge: string) => Array.from({ length: SPEED_REQUESTS }, (_, seed) => requestBy(judge, seed));
  const java = await judgeByJava(classPath, requestsBy("NetflixACAJudge-v1.0"));
  const rate = (seconds: number) => `${(SPEED_REQUESTS / seconds).toFixed(0)}/s`;
  stdout.write(
    `10 metrics of 60 points: Kayenta's judge in one thread, without HTTP, from a cold start ${rate(java.seconds)}\n`,
  );
  for (const judge of ["NetflixACAJudge-v1.0", "Touchstone-v1.0"]) {
    const { seconds } = await judgeByPost(url, requestsBy(judge));
    stdout.write(`POST /judge by ${judge}, ${AT_ONCE} callers, from a cold start: ${rate(seconds)}\n`);
  }
}

async function judgeByJava(
  classPath: string,
  requests: readonly object[],
): Promise<{ answers: string[]; seconds: number }> {
  const java = spawn("java", ["-cp", classPath, "RealJudge"]);
  const ended = new Promise<number | null>((resolve, reject) => java.on("close", resolve).on("error", reject));
  java.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(""));
  const [out, errors, status] = await Promise.all([text(java.stdout), text(java.stderr), ended]);
  if (status !== 0) throw new Error(`Kayenta's judge ended with ${status}: ${errors.slice(0, 2_000)}`);
  return { answers: out.trimEnd().split("\n"), seconds: Number(errors.trim().split("\n").at(-1)) };
}

async function judgeByPost(url: string, requests: readonly object[]): Promise<{ answers: string[]; seconds: number }> {
  const bodies = requests.map((request) => JSON.stringify(request));
  const answers: string[] = [];
  let next = 0;
  const began = performance.now();
  const call = async (): Promise<void> => {
    for (let index = next++; index < bodies.length; index = next++) {
      const answer = await fetch(`${url}/judge`, { method: "POST", body: bodies[index] });
      answers[index] = await answer.text();
      if (answer.status !== 200) throw new Error(`request ${index} was answered ${answer.status}: ${answers[index]}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, call));
  return { answers, seconds: (performance.now() - began) / 1000 };
}

/** The judge as the checkout has it, without what only Spring needs. @returns the class path. */
function compile(checkout: string, folder: string): string {
  const list = join(folder, "classpath");
  execFileSync("mvn", ["-B", "-q", "dependency:build-classpath", `-Dmdep.outputFile=${list}`], {
    cwd: HERE,
    stdio: "inherit",
  });
  const jars = readFileSync(list, "utf8").trim();
  const classPath = [folder, jars].join(delimiter);
  const core = sourcesOf(join(checkout, "kayenta-core/src/main/java/com/netflix/kayenta"), [
    /canary\/Canary(?:Judge|Config|MetricConfig|ClassifierConfig|ClassifierThresholdsConfig|JudgeConfig|MetricSetQueryConfig)\.java$/,
    /canary\/results\/Canary(?:AnalysisResult|Judge\w+)\.java$/,
    /metrics\/MetricSetPair\.java$/,
  ]);
  // Lombok is a processor, which newer compilers run only when they are told of it.
  javac(["-nowarn", "-processorpath", jars, "-cp", classPath, "-d", folder, ...core]);
  const scala = [
    ...sourcesOf(join(checkout, "kayenta-judge/src/main/scala"), [
      /(?<!RandomDummyJudge)\.scala$/,
      /NetflixJudgeConfigurationProperties\.java$/,
    ]),
    ...sourcesOf(join(checkout, "kayenta-mannwhitney/src/main"), [/\.(?:scala|java)$/]),
  ];
  const scalac = ["-cp", jars, "scala.tools.nsc.Main", "-nowarn", "-cp", classPath, "-d", folder];
  execFileSync("java", [...scalac, ...scala], { stdio: "inherit" });
  javac(["-nowarn", "-cp", classPath, "-d", folder, ...scala.filter((path) => path.endsWith(".java"))]);
  javac(["-nowarn", "-cp", classPath, "-d", folder, join(HERE, "RealJudge.java")]);
  return classPath;
}

function javac(args: readonly string[]): void {
  execFileSync("javac", args, { stdio: "inherit" });
}

function sourcesOf(root: string, patterns: readonly RegExp[]): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => patterns.some((pattern) => pattern.test(path)))
    .map((path) => join(root, path));
}
