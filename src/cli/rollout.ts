import type { Command, Option } from "commander";
import { formatPercent } from "../judge/format.ts";
import { canonicalJson } from "../model/canonical.ts";
import type { BudgetAccount, RolloutStage, RolloutView } from "../model/rollout.ts";
import type { Client } from "./client.ts";
import { toColumns } from "./columns.ts";

type Format = "table" | "json";

/** `touchstone rollout`, against a server. */
export function addRolloutCommand(
  program: Command,
  client: () => Client,
  stdout: (text: string) => void,
  output: () => Option,
): void {
  program
    .command("rollout <namespace/name[@revision]>")
    .description("print the stages of a rollout, their verdicts and what is left of the error budgets")
    .option("--analysis <name>", "where several judge one revision; default: that of the newest run")
    .addOption(output())
    .action(async (place: string, { analysis, output: format }: { analysis?: string; output: Format }) => {
      const view = await client().readRollout(place, analysis ?? null, AbortSignal.timeout(30_000));
      stdout(format === "json" ? `${canonicalJson(view)}\n` : toText(view));
    });
}

function toText(view: RolloutView): string {
  const { namespace, name, revision, analysis, baseline, candidates, state, budgets, stages, next, alsoJudged } = view;
  const labels = candidates.map(({ label }) => label).join(", ");
  const lines = [
    `${namespace}/${name}@${revision}: ${state.replaceAll("_", " ")} (${analysis.name}, ${baseline.label} → ${labels})`,
    "",
    ...toColumns([HEADER, ...stages.map(toRow)]),
    "",
    `rollback budget ${account(budgets.rollback)}, over all stages and attempts`,
    `promote budget ${account(budgets.promote)}, in the stage that spent most; each has it whole, since all must promote`,
    ...(next === null
      ? []
      : ["", `next: ${next.stages.join(", ")}${weightText(next.weight)}; ${next.text} (${next.advice})`]),
    ...(alsoJudged.length === 0
      ? []
      : [
          "",
          `also judged: ${alsoJudged.map((one) => `${one.analysis} (${one.baseline} → ${one.candidate})`).join(", ")}`,
        ]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

const HEADER = ["stage", "weight", "state", "attempts", "goes on from", "rollback budget", "newest run", "summary"];

function toRow(stage: RolloutStage): string[] {
  const { name, group, weight, state, runs, deletedAttempts, rollback } = stage;
  const [newest] = runs;
  return [
    `${name ?? "(none)"}${group === null ? "" : ` [${group}]`}`,
    weight === null ? "–" : formatPercent(weight),
    state.replaceAll("_", " "),
    String(runs.length + deletedAttempts),
    newest?.carriedFrom.join(", ") ?? "",
    account(rollback),
    newest?.id ?? "",
    newest?.summary ?? "",
  ];
}

const account = ({ budget, spent, left }: BudgetAccount): string =>
  `${formatPercent(budget)}: ${formatPercent(spent)} spent, ${formatPercent(left)} left`;

const weightText = (weight: number | null): string => (weight === null ? "" : ` at ${formatPercent(weight)}`);
