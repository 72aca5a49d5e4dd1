import { Argument, type Command } from "commander";
import { TouchstoneError } from "../errors.ts";
import { canonicalJson } from "../model/canonical.ts";
import { readAnalysis, toPath } from "../model/read-analysis.ts";
import { checkTemplate, type Judged } from "./doctor-argo.ts";
import { checkCanary, checkMetricTemplate, type JudgedMetric } from "./doctor-flagger.ts";
import {
  probeArgoWeb,
  probeFlaggerHooks,
  probeFlaggerMetric,
  probeKayenta,
  readPlans,
  type Live,
} from "./doctor-live.ts";
import { readManifests, type Manifest, type Trap } from "./doctor-manifest.ts";
import { checkExperiment, checkRollout } from "./doctor-rollout.ts";
import { readText } from "./judge-files.ts";
import { tableOrJson } from "./options.ts";

export interface DoctorDependencies {
  /** `TOUCHSTONE_TOKEN`. */
  readonly token: () => string | null;
  readonly stdout: (text: string) => void;
  readonly setExit: (code: number) => void;
}

interface DoctorOptions {
  readonly live?: string;
  readonly file: string[];
  readonly output: "table" | "json";
}

/** A trap with the place in the file. */
interface Placed extends Trap {
  readonly file: string | null;
  readonly line: string;
}

const CONTROLLERS = ["argo", "flagger"] as const;
type Controller = (typeof CONTROLLERS)[number];

/** `touchstone doctor`: names the known traps of a controller in manifests, and in what a server answers. */
export function addDoctorCommand(program: Command, { token, stdout, setExit }: DoctorDependencies): void {
  program
    .command("doctor")
    .description(
      "name the known traps of Argo Rollouts or Flagger in manifests, and in what a running Touchstone answers them",
    )
    .addArgument(new Argument("<controller>").choices(CONTROLLERS))
    .argument(
      "<manifests...>",
      "files; templates and what uses them together, so that one is checked against the other",
    )
    .option("--live <url>", "ask this server as the controller would; with TOUCHSTONE_TOKEN")
    .option(
      "-f, --file <analysis.yaml>",
      "an analysis that the manifests name, to see whether its plan fits; may be repeated",
      (path: string, before: string[]) => [...before, path],
      [],
    )
    .addOption(tableOrJson())
    .addHelpText(
      "after",
      "\nExit code: 0 no known trap, 1 traps, 64 not a manifest of that controller, 69 the file or the server is unavailable.",
    )
    .action(async (controller: Controller, files: string[], { live: url, file, output }: DoctorOptions) => {
      const live = url === undefined ? null : { url: readUrl(url), token: token() };
      const manifests = (
        await Promise.all(files.map(async (path) => readManifests(await readText(path), path)))
      ).flat();
      const plans = await readPlanFiles(file);
      const { traps, count } = await (controller === "argo" ? examineArgo : examineFlagger)(manifests, live, plans);
      if (count === 0)
        throw new TouchstoneError(
          "invalid_input",
          `${files.join(", ")} holds nothing of ${controller === "argo" ? "Argo Rollouts" : "Flagger"}`,
        );
      stdout(output === "json" ? `${canonicalJson(traps)}\n` : toText(traps, count));
      setExit(traps.length === 0 ? 0 : 1);
    });
}

interface Examined {
  readonly traps: Placed[];
  /** Objects of the controller. */
  readonly count: number;
}

async function examineArgo(
  manifests: readonly Manifest[],
  live: Live | null,
  plans: ReadonlyMap<string, number>,
): Promise<Examined> {
  const templates = manifests.filter(({ kind }) => kind === "AnalysisTemplate" || kind === "ClusterAnalysisTemplate");
  const users = manifests.filter(({ kind }) => kind === "Rollout" || kind === "Experiment");
  const named = (found: readonly { judged: Judged | null }[]) => [
    ...new Set(found.flatMap(({ judged }) => judged?.analysis ?? [])),
  ];
  const first = templates.map((manifest) => checkTemplate(manifest, () => null));
  const known = live === null ? null : await readPlans(live, named(first));
  const seconds = (analysis: string) => known?.seconds.get(analysis) ?? plans.get(analysis) ?? null;
  const checked = templates.map((manifest) => ({ manifest, ...checkTemplate(manifest, seconds) }));
  const judged = new Map(
    checked.flatMap((one) => (one.judged === null ? [] : [[one.manifest.name, one.judged] as const])),
  );
  const traps = checked.flatMap((one) => place(one.manifest, one.traps));
  for (const manifest of users)
    traps.push(
      ...place(
        manifest,
        manifest.kind === "Rollout" ? checkRollout(manifest, judged) : checkExperiment(manifest, judged),
      ),
    );
  if (live !== null) {
    const modes = new Set([...judged.values()].map(({ mode }) => mode));
    const probes = [
      ...(known?.traps ?? []),
      ...(modes.has("step") || modes.has("background") || modes.size === 0 ? await probeArgoWeb(live) : []),
      ...(modes.has("kayenta")
        ? await probeKayenta(live, named(checked.filter((one) => one.judged?.mode === "kayenta")))
        : []),
    ];
    traps.push(...probes.map(unplaced));
  }
  return { traps, count: templates.length + users.length };
}

async function examineFlagger(manifests: readonly Manifest[], live: Live | null): Promise<Examined> {
  const templates = manifests.filter(({ kind }) => kind === "MetricTemplate");
  const canaries = manifests.filter(({ kind }) => kind === "Canary");
  const checked = templates.map((manifest) => ({ manifest, ...checkMetricTemplate(manifest) }));
  const judged = new Map<string, JudgedMetric>(
    checked.flatMap((one) => (one.judged === null ? [] : [[one.manifest.name, one.judged]])),
  );
  const traps = checked.flatMap((one) => place(one.manifest, one.traps));
  const analyses = new Set<string>();
  for (const manifest of canaries) {
    const canary = checkCanary(manifest, judged);
    traps.push(...place(manifest, canary.traps));
    for (const name of canary.analyses) analyses.add(name);
  }
  if (live !== null) {
    const probes = [
      ...(await readPlans(live, [...analyses])).traps,
      ...(await probeFlaggerHooks(live)),
      ...(judged.size > 0 ? await probeFlaggerMetric(live) : []),
    ];
    traps.push(...probes.map(unplaced));
  }
  return { traps, count: templates.length + canaries.length };
}

function place({ file, lineOf }: Manifest, traps: readonly Trap[]): Placed[] {
  return traps.map((trap) => ({ ...trap, file, line: lineOf(trap.pointer).trim() }));
}

function unplaced(trap: Trap): Placed {
  return { ...trap, file: null, line: "" };
}

async function readPlanFiles(files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const plans = new Map<string, number>();
  for (const file of files) {
    const { analysis } = readAnalysis(await readText(file), file);
    plans.set(analysis.name, analysis.plan.durationSeconds + analysis.plan.settleSeconds);
  }
  return plans;
}

function toText(traps: readonly Placed[], count: number): string {
  if (traps.length === 0) return `no known trap in ${count} ${count === 1 ? "object" : "objects"}\n`;
  const lines = traps.map(({ file, where, pointer, line, code, text }) => {
    const at = [
      file === null ? "" : `${file}: `,
      where,
      pointer === "" ? "" : ` ${toPath(pointer)}`,
      line === "" ? "" : ` ${line}`,
    ];
    return `${at.join("")}\n  ${code}: ${text}\n`;
  });
  return `${lines.join("")}${traps.length} ${traps.length === 1 ? "trap" : "traps"} in ${count} ${count === 1 ? "object" : "objects"}\n`;
}

function readUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new TouchstoneError("invalid_request", `--live ${text} is not an http or https URL`);
  return text;
}
