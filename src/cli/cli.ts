import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { Config } from "../config.ts";
import { ERRORS, isTouchstoneError, TouchstoneError } from "../errors.ts";
import { formatPercent } from "../judge/format.ts";
import type { Analysis } from "../model/analysis.ts";
import { canonicalJson } from "../model/canonical.ts";
import { Verdict } from "../model/finding.ts";
import { ENGINE } from "../model/engine.ts";
import { readAnalysis, toPath } from "../model/read-analysis.ts";
import { Rollout, type RunView, type StartRunRequest, type Window } from "../model/run.ts";
import { Duration, durationSeconds, type Instant } from "../model/time.ts";
import type { Sources } from "../sources/source.ts";
import { runnableIssues } from "../start-run.ts";
import { createClient, type Client } from "./client.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addImportCommand } from "./import-kayenta.ts";
import { judgeFiles, readText, type WireFiles } from "./judge-files.ts";
import { check, instant, label, tableOrJson, whole } from "./options.ts";
import { EXIT, OUTPUTS, printReport, printRun, printRuns, type Output } from "./output.ts";
import { addReplayCommands } from "./replay-commands.ts";
import type { ReadRecordings, WireReplay } from "./replay-recording.ts";
import { addRolloutCommand } from "./rollout.ts";
import { addScheduleCommands } from "./schedule.ts";
import type { Role, ServeOptions } from "./serve.ts";
import { addVerifyCommand } from "./verify.ts";

/** What the command line stands on: everything that touches the world is handed in. */
export interface CliDependencies {
  readonly readConfig: () => Config;
  readonly serve: (config: Config, options: ServeOptions) => Promise<void>;
  readonly migrate: (config: Config) => Promise<string[]>;
  readonly backup: (config: Config, file: string) => Promise<RecordSummary>;
  readonly restore: (config: Config, file: string, options: { overwrite: boolean }) => Promise<RecordSummary>;
  readonly wireFiles: WireFiles;
  readonly readRecordings: ReadRecordings;
  readonly wireReplay: WireReplay;
  readonly wireSources: (config: Config) => Sources;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly now: () => Instant;
}

/** Between two questions to a server that cannot be reached while somebody waits. */
const RETRY_MS = 1_000;
const LONG_POLL_SECONDS = 30;

/**
 * Runs one command.
 *
 * @returns the exit code: 0 promote (or done), 1 rollback, 2 pause, 64 usage or bad input, 69 unavailable, 70 a bug, 75 waiting timed out.
 */
export async function runCli(args: readonly string[], dependencies: CliDependencies): Promise<number> {
  let exitCode = 0;
  const program = createProgram(dependencies, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64;
    if (isTouchstoneError(error)) {
      dependencies.stderr(`touchstone: ${error.message}\n`);
      if (!error.message.includes("\n"))
        for (const { pointer, detail } of error.issues) dependencies.stderr(`  ${toPath(pointer)} ${detail}\n`);
      return ERRORS[error.code].exit;
    }
    dependencies.stderr(
      `touchstone: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return ERRORS.internal.exit;
  }
}

function createProgram(dependencies: CliDependencies, setExit: (code: number) => void): Command {
  const { readConfig, stdout, stderr } = dependencies;
  const program = new Command("touchstone")
    .description("The statistical judge for rollouts of AI agents and services.")
    .version(ENGINE)
    .exitOverride()
    .configureOutput({ writeOut: stdout, writeErr: stderr })
    .showHelpAfterError()
    .addHelpText(
      "after",
      "\nExit code: 0 promote, 1 rollback, 2 pause, 64 usage or bad input, 69 store, server or input file unavailable, 70 a bug, 75 waiting timed out.\nThe environment is described in .env.example.",
    );
  const client = (): Client => {
    const { url, secrets } = readConfig();
    return createClient(url, secrets.token);
  };
  const output = () => new Option("-o, --output <format>", "what to print").choices(OUTPUTS).default("table");
  const timeout = () =>
    new Option("--timeout <duration>", "how long to wait for a verdict").argParser(duration).default("1h");

  program
    .command("serve")
    .description("run the API and the worker; embedded unless DATABASE_URL is set")
    .addOption(
      new Option("--role <role>", "which part").choices(["all", "api", "worker"] satisfies Role[]).default("all"),
    )
    .option("--example", "judge the bundled example through the whole street and print its verdicts", false)
    .action(async (options: ServeOptions) => dependencies.serve(readConfig(), options));

  program
    .command("judge")
    .description("judge two files, without a server")
    .requiredOption("-f, --file <analysis.yaml>", "the analysis")
    .requiredOption("--baseline <file>", "CSV or NDJSON with the samples of the version that serves today")
    .requiredOption(
      "--candidate <file>",
      "the same for the new version; may be the same file when `where` tells the versions apart",
    )
    .addOption(new Option("--baseline-label <label>", "default: the name of the file").argParser(label))
    .addOption(new Option("--candidate-label <label>", "default: the name of the file").argParser(label))
    .addOption(argument())
    .addOption(
      new Option("--at <instant>", "the time of the look, for a report that is equal byte for byte").argParser(instant),
    )
    .addOption(output())
    .action(
      async (options: {
        file: string;
        baseline: string;
        candidate: string;
        baselineLabel?: string;
        candidateLabel?: string;
        arg: Record<string, string>;
        at?: Instant;
        output: Output;
      }) => {
        const { file, arg, at, output: format, ...arms } = options;
        const report = await judgeFiles(
          dependencies.wireFiles,
          { analysis: file, ...arms, args: arg, at: at ?? dependencies.now() },
          new AbortController().signal,
        );
        stdout(printReport(report, format));
        setExit(report.verdict === null ? EXIT.pause : EXIT[report.verdict]);
      },
    );

  program
    .command("run")
    .description("start a run on a server (TOUCHSTONE_URL) and wait for its verdict")
    .option("-f, --file <analysis.yaml>", "an analysis to send along")
    .option("--analysis <name>", "an analysis that the server has")
    .addOption(new Option("--baseline <label>", "the version that serves today").argParser(label).makeOptionMandatory())
    .addOption(new Option("--candidate <label>", "the new version").argParser(label).makeOptionMandatory())
    .addOption(new Option("--start <instant>", "start of the window").argParser(instant))
    .addOption(new Option("--end <instant>", "end of the window").argParser(instant))
    .addOption(argument())
    .addOption(new Option("--rollout <namespace/name@revision>", "what is rolled out").argParser(rollout))
    .option("--stage <name>", "the stage of the rollout that the run belongs to")
    .addOption(
      new Option("--notify <target>", "a notification target to tell of the end; may be repeated")
        .argParser((name: string, before: string[]) => [...before, name])
        .default([], "none"),
    )
    .option("--idempotency-key <key>", "makes a repeated command the same run")
    .option("--no-wait", "print the id and exit 0 as soon as the run is stored, whatever it will come to")
    .addOption(timeout())
    .addOption(output())
    .action(async (options: RunOptions) => {
      const request = await toRequest(options);
      const run = await client().startRun(
        request,
        options.idempotencyKey ?? null,
        AbortSignal.timeout(durationSeconds(options.timeout) * 1000),
      );
      stderr(`${run.id} ${run.status}\n`);
      if (options.wait) setExit(await awaitVerdict(client(), run.id, options.timeout, options.output, dependencies));
      else stdout(printRun(run, options.output));
    });

  program
    .command("wait <run>")
    .description("wait for the verdict of a run")
    .addOption(timeout())
    .addOption(output())
    .action(async (id: string, options: { timeout: Duration; output: Output }) => {
      setExit(await awaitVerdict(client(), id, options.timeout, options.output, dependencies));
    });

  program
    .command("get <run>")
    .description("print a run or its report; exits 0 whatever the verdict")
    .addOption(output())
    .action(async (id: string, options: { output: Output }) => {
      const signal = AbortSignal.timeout(30_000);
      const run = await client().readRun(id, 0, signal);
      if (options.output === "json" || run.lastLook === null) stdout(printRun(run, options.output));
      else stdout(printReport(await client().readReport(id, signal), options.output));
    });

  program
    .command("list")
    .description("print the newest runs")
    .option("--analysis <name>")
    .option("--status <status>")
    .option("--verdict <verdict>")
    .option("--version-label <label>", "label of either arm")
    .option("--limit <n>", "1 to 200", "20")
    .addOption(output())
    .action(
      async ({
        output: format,
        versionLabel,
        ...filter
      }: { output: Output; versionLabel?: string } & Record<string, string>) => {
        const parameters = Object.fromEntries(
          Object.entries({ ...filter, version: versionLabel }).flatMap(([name, value]) =>
            value === undefined ? [] : [[name, value]],
          ),
        );
        const { items } = await client().listRuns(parameters, AbortSignal.timeout(30_000));
        stdout(printRuns(items, format));
      },
    );

  addRolloutCommand(program, client, stdout, tableOrJson);

  addScheduleCommands(
    program.command("schedule").description("runs that start by the clock, on a server (TOUCHSTONE_URL)"),
    client,
    stdout,
    tableOrJson,
  );

  program
    .command("cancel <run>")
    .description("cancel a run that has not ended")
    .addOption(output())
    .action(async (id: string, options: { output: Output }) => {
      stdout(printRun(await client().cancelRun(id, AbortSignal.timeout(30_000)), options.output));
    });

  program
    .command("override <run>")
    .description("put your verdict beside the computed one, which stays; hooks and `wait` answer yours")
    .addOption(new Option("--verdict <verdict>", "yours").choices(Verdict.options).makeOptionMandatory())
    .requiredOption("--reason <text>", "why, in at least 10 characters; kept in the audit log")
    .option("--by <name>", "who decides")
    .addOption(
      new Option(
        "--expected-version <n>",
        "the version of the run that you read; default: the one it has now",
      ).argParser(whole(0, 1_000_000_000)),
    )
    .addOption(output())
    .action(
      async (
        id: string,
        {
          output: format,
          verdict,
          reason,
          by,
          expectedVersion,
        }: { output: Output; verdict: Verdict; reason: string; by?: string; expectedVersion?: number },
      ) => {
        const signal = AbortSignal.timeout(30_000);
        const version = expectedVersion ?? (await client().readRun(id, 0, signal)).version;
        const run = await client().overrideRun(
          id,
          { verdict, reason, expectedVersion: version, ...(by === undefined ? {} : { by }) },
          signal,
        );
        stdout(printRun(run, format));
      },
    );

  program
    .command("validate <files...>")
    .description("check analyses; with TOUCHSTONE_SOURCES set, also whether they can run here")
    .addOption(
      new Option("-o, --output <format>", "json prints what is in force").choices(["table", "json"]).default("table"),
    )
    .action(async (files: string[], options: { output: Output }) => {
      const config = readConfig();
      const sources = config.sources.length === 0 ? null : dependencies.wireSources(config);
      for (const file of files) {
        const { analysis } = readAnalysis(await readText(file), file);
        const issues = sources === null ? [] : runnableIssues(analysis, sources);
        if (issues.length > 0)
          throw new TouchstoneError("not_runnable", `${file} cannot run with the configured sources`, { issues });
        stdout(
          options.output === "json"
            ? `${canonicalJson(analysis)}\n`
            : `${file}: ${analysis.name} is valid, ${analysis.metrics.length} metrics${stagesText(analysis)}\n`,
        );
      }
    });

  addReplayCommands(program, { ...dependencies, client });
  addVerifyCommand(program, { client, stdout, setExit });
  addImportCommand(program, { stdout, stderr });
  addDoctorCommand(program, { token: () => readConfig().secrets.token, stdout, setExit });

  program
    .command("backup <file>")
    .description("write the embedded record to a file; the server must be stopped for that moment")
    .action(async (file: string) =>
      stdout(`wrote ${file}: ${describeRecord(await dependencies.backup(readConfig(), file))}\n`),
    );

  program
    .command("restore <file>")
    .description("make the embedded record from a backup, check it, and put it in place; the server must be stopped")
    .option("--overwrite", "in the place of the record that is there", false)
    .action(async (file: string, options: { overwrite: boolean }) =>
      stdout(`restored ${file}: ${describeRecord(await dependencies.restore(readConfig(), file, options))}\n`),
    );

  program
    .command("migrate")
    .description("bring the database at DATABASE_URL to the schema of this program")
    .action(async () => {
      const config = readConfig();
      if (config.secrets.databaseUrl === null)
        throw new TouchstoneError("invalid_config", "migrate needs DATABASE_URL; the embedded record migrates itself");
      const taken = await dependencies.migrate(config);
      stdout(taken.length === 0 ? "the schema is current\n" : taken.map((name) => `migrated: ${name}\n`).join(""));
    });

  return program;
}

function stagesText({ stages }: Analysis): string {
  if (stages === undefined) return "";
  const names = stages.map(({ name, weight }) => `${name}${weight === null ? "" : ` ${formatPercent(weight)}`}`);
  return `, ${stages.length} stages: ${names.join(", ")}`;
}

/** What of a record was written or read back. */
interface RecordSummary {
  readonly schema: number;
  readonly engine: string;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
}

function describeRecord({ schema, engine, tables }: RecordSummary): string {
  const counted = Object.entries(tables).map(([name, rows]) => `${name.replaceAll("_", " ")} ${rows}`);
  return `${counted.join(", ")} (schema ${schema}, ${engine})`;
}

interface RunOptions {
  readonly file?: string;
  readonly analysis?: string;
  readonly baseline: string;
  readonly candidate: string;
  readonly start?: Instant;
  readonly end?: Instant;
  readonly arg: Record<string, string>;
  readonly rollout?: Rollout;
  readonly stage?: string;
  readonly notify: string[];
  readonly idempotencyKey?: string;
  readonly wait: boolean;
  readonly timeout: Duration;
  readonly output: Output;
}

async function toRequest({
  file,
  analysis,
  baseline,
  candidate,
  start,
  end,
  arg,
  rollout: place,
  stage,
  notify,
}: RunOptions): Promise<StartRunRequest> {
  if ((file === undefined) === (analysis === undefined))
    throw new TouchstoneError("invalid_request", "give one of --file and --analysis");
  if ((start === undefined) !== (end === undefined))
    throw new TouchstoneError("invalid_request", "give --start and --end together");
  if (stage !== undefined && place === undefined)
    throw new TouchstoneError("invalid_request", "--stage is of a rollout; give --rollout too");
  const window: Window | undefined = start === undefined || end === undefined ? undefined : { start, end };
  return {
    analysis: file === undefined ? (analysis ?? "") : readAnalysis(await readText(file), file).document,
    baseline: { label: baseline },
    candidate: { label: candidate },
    ...(window === undefined ? {} : { window }),
    ...(Object.keys(arg).length === 0 ? {} : { args: arg }),
    ...(place === undefined ? {} : { rollout: { ...place, ...(stage === undefined ? {} : { stage }) } }),
    ...(notify.length === 0 ? {} : { notify }),
  };
}

/** Asks until the run has ended; a server that is away for a moment is asked again. */
async function awaitVerdict(
  client: Client,
  id: string,
  timeout: Duration,
  output: Output,
  { stdout, stderr }: CliDependencies,
): Promise<number> {
  const deadline = AbortSignal.timeout(durationSeconds(timeout) * 1000);
  let lastStatus = "";
  for (;;) {
    let run: RunView;
    try {
      run = await client.readRun(id, LONG_POLL_SECONDS, deadline);
    } catch (error) {
      if (deadline.aborted)
        throw new TouchstoneError("wait_timed_out", `run ${id} had no verdict after ${timeout}`, { cause: error });
      if (!isTouchstoneError(error) || !ERRORS[error.code].retry) throw error;
      stderr(`${error.message}; asking again\n`);
      await pause(RETRY_MS, deadline);
      continue;
    }
    if (run.status !== lastStatus) stderr(`${run.id} ${run.status}\n`);
    lastStatus = run.status;
    if (run.override !== null && run.dueAt === null)
      stderr(`${run.override.by} overrode it to ${run.override.verdict}: ${run.override.reason}\n`);
    if (run.verdict !== null) {
      stdout(printReport(await client.readReport(id, deadline), output));
      return EXIT[run.effectiveVerdict ?? run.verdict];
    }
    if (run.status === "failed" || run.status === "cancelled") {
      stdout(printRun(run, output));
      // Nothing was decided: never 0, and not the 1 that blames the candidate.
      return run.status === "failed" ? ERRORS.internal.exit : EXIT.pause;
    }
  }
}

/** Resolves early when the signal aborts; the next question then reports it. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function argument(): Option {
  return new Option("--arg <name=value>", "an argument of the analysis; may be repeated")
    .default({})
    .argParser((text: string, before: Record<string, string>) => {
      const equals = text.indexOf("=");
      if (equals < 1) throw new InvalidArgumentError("write name=value");
      return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
    });
}

function duration(text: string): Duration {
  return check(Duration.safeParse(text));
}

function rollout(text: string): Rollout {
  const match = /^([^/]+)\/([^@]+)@(.+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("write namespace/name@revision");
  const [, namespace, name, revision] = match;
  return check(Rollout.safeParse({ namespace, name, revision }));
}
