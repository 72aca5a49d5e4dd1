import { Option, type Command } from "commander";
import { TouchstoneError } from "../errors.ts";
import type { Instant } from "../model/time.ts";
import { backtestRecords, type ReplayDependencies } from "./backtest.ts";
import { calibrate } from "./calibrate.ts";
import type { Client } from "./client.ts";
import { explain } from "./explain.ts";
import { history } from "./history.ts";
import { instant, label, tableOrJson, whole } from "./options.ts";

/** What tunes an analysis before it judges anything: docs/backtest.md. */
export function addReplayCommands(
  program: Command,
  dependencies: ReplayDependencies & { readonly client: () => Client },
): void {
  program
    .command("explain")
    .description(
      "print what an analysis does: everything in force, how the budgets are spent, when it looks, what it can detect",
    )
    .requiredOption("-f, --file <analysis.yaml>", "the analysis")
    .addOption(new Option("--units <n>", "units per arm at the end of a run").argParser(whole(1, 1_000_000_000)))
    .option("--stage <name>", "as a first attempt at this stage of a rollout is judged")
    .addOption(tableOrJson())
    .action(
      async ({
        file,
        units,
        stage,
        output: format,
      }: {
        file: string;
        units?: number;
        stage?: string;
        output: "table" | "json";
      }) => {
        dependencies.stdout(await explain(file, { units: units ?? null, stage: stage ?? null, output: format }));
      },
    );

  program
    .command("backtest")
    .description("replay recorded runs through the looks of an analysis: one line of NDJSON per key")
    .requiredOption("-f, --file <analysis.yaml>", "the analysis")
    .requiredOption("--samples <events.ndjson>", "timestamped records, one JSON object a line")
    .option("--by <field>", "the field that tells replays apart; default: key, where records have one")
    .addOption(arm("baseline"))
    .addOption(arm("candidate"))
    .addOption(
      new Option("--start <instant>", "when every run starts; default: with the first record of its key").argParser(
        instant,
      ),
    )
    .addOption(new Option("-o, --output <format>", "what to print").choices(["ndjson"]).default("ndjson"))
    .action(
      async (options: {
        file: string;
        samples: string;
        by?: string;
        baseline: string;
        candidate: string;
        start?: Instant;
      }) => {
        const { file, samples, by = null, baseline, candidate, start = null } = options;
        await backtestRecords(dependencies, { analysis: file, samples, by, baseline, candidate, start });
      },
    );

  program
    .command("calibrate")
    .description(
      "compare the baseline with itself: how often an analysis raises false alarms, and the smallest change it detects",
    )
    .requiredOption("-f, --file <analysis.yaml>", "the analysis")
    .requiredOption("--samples <events.ndjson>", "timestamped records, as for backtest; only the baseline's are used")
    .option("--by <field>", "the field that tells recordings apart; default: key, where records have one")
    .addOption(arm("baseline"))
    .addOption(
      new Option("--splits <n>", "how often the baseline is split in two").argParser(whole(1, 100_000)).default(200),
    )
    .addOption(new Option("--seed <n>", "another seed, other splits").argParser(whole(0, 2 ** 31 - 1)).default(1))
    .addOption(tableOrJson())
    .action(
      async (options: {
        file: string;
        samples: string;
        by?: string;
        baseline: string;
        splits: number;
        seed: number;
        output: "table" | "json";
      }) => {
        const { file, by = null, ...rest } = options;
        await calibrate(dependencies, { analysis: file, by, ...rest });
      },
    );

  program
    .command("history")
    .description("measure from runs of two equal versions how much a metric by steps differs between them")
    .requiredOption("-f, --file <analysis.yaml>", "the analysis")
    .option("--samples <events.ndjson>", "timestamped records of both arms, as for backtest, one key a run")
    .option("--runs-of <analysis>", "in place of a file: the decided runs of this analysis on the server")
    .addOption(
      new Option("--limit <n>", "with --runs-of: so many, the newest first").argParser(whole(1, 100_000)).default(200),
    )
    .option("--by <field>", "the field that tells recordings apart; default: key, where records have one")
    .addOption(arm("baseline"))
    .addOption(arm("candidate"))
    .addOption(tableOrJson())
    .action(
      async (options: {
        file: string;
        samples?: string;
        runsOf?: string;
        limit: number;
        by?: string;
        baseline: string;
        candidate: string;
        output: "table" | "json";
      }) => {
        const { file, samples, runsOf, limit, by = null, baseline, candidate, output } = options;
        if (samples !== undefined && runsOf === undefined)
          await history(dependencies, { analysis: file, from: { samples, by, baseline, candidate }, output });
        else if (samples === undefined && runsOf !== undefined)
          await history(dependencies, { analysis: file, from: { runsOf, limit }, output });
        else throw new TouchstoneError("invalid_request", "give either --samples or --runs-of");
      },
    );
}

function arm(name: "baseline" | "candidate"): Option {
  return new Option(`--${name} <label>`, `the arm that is the ${name}`).argParser(label).default(name);
}
