import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { judgeFiles } from "../src/cli/judge-files.ts";
import { isTouchstoneError } from "../src/errors.ts";
import type { Report } from "../src/model/run.ts";
import { wireFiles } from "../src/wire-sources.ts";
import { openDataPack, type DataPack, type Expected, type Pair } from "./pairs/data-pack.ts";
import { EXPLANATIONS } from "./pairs/explanations.ts";
import { analysisOf, RULE } from "./pairs/pair-analysis.ts";

/**
 * What does the judge say about real pairs of systems, of which others have published what the change was?
 *
 *   npm run bench pairs -- [--data DIR] [--only PREFIX] [--write]
 *
 * Every pair is judged in both directions, as `touchstone judge` judges two files. `--write` puts the tables into docs/benchmarks.md.
 * The exit code is 1 when something that must hold does not.
 */

const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const [START, END] = ["<!-- pairs:start -->", "<!-- pairs:end -->"];
/** Exit codes, as the command line has them. */
const [USAGE, UNAVAILABLE] = [64, 69];

type Direction = "forward" | "reversed";
type Verdict = NonNullable<Report["verdict"]>;

interface Judged {
  readonly pair: Pair;
  readonly direction: Direction;
  readonly expected: readonly Expected[];
  readonly verdict: Verdict;
  readonly reason: string;
  readonly report: Report;
}

/** Yes; undecided where a decision was expected, which harms nobody; or no. */
type Agreement = "yes" | "undecided" | "**no**";

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string", default: "../shared/data" },
      only: { type: "string", default: "" },
      write: { type: "boolean", default: false },
    },
  });
  if (values.write && values.only !== "") return refuse("--write wants all pairs; leave out --only", USAGE);
  let pack: DataPack;
  try {
    pack = await openDataPack(values.data);
  } catch (error) {
    if (!isTouchstoneError(error)) throw error;
    return refuse(error.message, UNAVAILABLE);
  }
  const chosen = pack.pairs.filter(({ id }) => id.startsWith(values.only));
  if (chosen.length === 0) return refuse(`no pair begins with ${values.only}`, USAGE);
  const folder = await mkdtemp(join(tmpdir(), "touchstone-pairs-"));
  try {
    const judged: Judged[] = [];
    for (const pair of chosen) {
      for (const direction of ["forward", "reversed"] as const)
        judged.push(await judgePair(pack, pair, direction, folder));
    }
    const guards = values.only === "" ? await checkGuards(pack, judged, folder) : [];
    const text = toMarkdown(judged, guards);
    stdout.write(`${text}\n`);
    for (const id of Object.keys(EXPLANATIONS)) {
      const own = judged.filter(({ pair }) => pair.id === id);
      if (own.length > 0 && own.every((one) => agreement(one) === "yes"))
        stderr.write(`${id} is explained, but nothing about it disagrees any more\n`);
    }
    if (values.write) await writeSection(text);
    if (guards.some(({ holds }) => !holds)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refuse(message: string, exitCode: number): void {
  stderr.write(`${message}\n`);
  process.exitCode = exitCode;
}

async function judgePair(
  pack: DataPack,
  pair: Pair,
  direction: Direction,
  folder: string,
  costTier?: "advisory",
): Promise<Judged> {
  const { document, toRecord } = analysisOf(pair, costTier);
  const [first, second] = direction === "forward" ? [pair.baseline, pair.candidate] : [pair.candidate, pair.baseline];
  const paths = {
    analysis: join(folder, "analysis.yaml"),
    baseline: join(folder, "baseline.ndjson"),
    candidate: join(folder, "candidate.ndjson"),
  };
  await writeFile(paths.analysis, JSON.stringify(document));
  for (const [path, arm] of [
    [paths.baseline, first],
    [paths.candidate, second],
  ] as const) {
    const rows = await pack.rowsOf(pair, arm);
    await writeFile(path, rows.map((row) => `${JSON.stringify(toRecord(row))}\n`).join(""));
  }
  const report = await judgeFiles(
    wireFiles,
    { ...paths, args: {}, at: "2026-01-01T00:00:00.000Z" },
    new AbortController().signal,
  );
  if (report.verdict === null) throw new RangeError(`${pair.id}: one look without a verdict`);
  const reason = report.reasons[0]?.text ?? "";
  return { pair, direction, expected: expectedOf(pair, direction), verdict: report.verdict, reason, report };
}

/** A reversed pair expects the reverse; what is neutral or conflicting, or worse in either direction, stays. */
function expectedOf(pair: Pair, direction: Direction): Expected[] {
  const all = [pair.expected, ...pair.also_ok];
  const isTwoSided = pair.metrics.every((metric) => metric.direction === "either");
  if (direction === "forward" || isTwoSided) return all;
  // To promote what is neutral says the same as neutral; to roll it back does not.
  if (pair.expected === "neutral") return all.filter((one) => one !== "promote");
  return all.map((one) => (one === "promote" ? "rollback" : one === "rollback" ? "promote" : one));
}

function agreement({ expected, verdict }: Judged): Agreement {
  // Neutral: nothing has changed that matters, which is what promote says.
  if (expected.includes(verdict) || (verdict === "promote" && expected.includes("neutral"))) return "yes";
  return verdict === "pause" ? "undecided" : "**no**";
}

interface Guard {
  readonly text: string;
  readonly holds: boolean;
  readonly seen: string;
}

/** What must hold whatever else is open. */
async function checkGuards(pack: DataPack, judged: readonly Judged[], folder: string): Promise<Guard[]> {
  const forward = (...ids: string[]) => ids.map((id) => find(judged, id, "forward"));
  const seen = (...all: readonly Judged[]) => all.map(({ pair, verdict }) => `${pair.id} ${verdict}`).join(", ");
  const guard = (text: string, all: readonly Judged[], holds: (one: Judged) => boolean): Guard => ({
    text,
    holds: all.every(holds),
    seen: seen(...all),
  });
  const twice = forward("OH-03-swe-bench");
  const advisory = twice[0] && (await judgePair(pack, twice[0].pair, "forward", folder, "advisory"));
  const identical = judged.filter(
    ({ pair }) => pair.basis === "same-system" && pair.folder === "latency_azure_vmnoise",
  );
  const tailFaults = judged.filter(
    ({ pair, direction }) =>
      pair.folder === "service_petshop" &&
      pair.basis === "injected-fault" &&
      pair.metrics.some(({ kind }) => kind === "latency") &&
      direction === "forward",
  );
  return [
    guard(
      "identical machines a month apart (VN-02: 0.3 %, p = 2e-13), and all other identical machines, are not rolled back",
      identical,
      ({ verdict }) => verdict !== "rollback",
    ),
    guard(
      "latency faults injected into PetShop, which hardly move the median, are rolled back",
      tailFaults,
      ({ verdict }) => verdict === "rollback",
    ),
    guard(
      "an attack on the LLM judge (AE2-08) is not promoted",
      forward("AE2-08"),
      ({ verdict }) => verdict !== "promote",
    ),
    guard(
      "errors that hide latency (LP-05, LP-06) are seen",
      forward("LP-05", "LP-06"),
      ({ verdict, report }) => verdict === "rollback" && report.reasons.some(({ metric }) => metric === "error_code"),
    ),
    guard(
      "cost times 2.4 at equal quality (OH-03-swe-bench) is not promoted",
      twice,
      ({ verdict }) => verdict !== "promote",
    ),
    ...(advisory === undefined
      ? []
      : [
          {
            text: "the same with an advisory cost: cost no longer stands in the way",
            holds: !advisory.report.reasons.some(({ metric }) => metric === "cost_usd"),
            seen: seen(advisory),
          },
        ]),
  ];
}

function find(judged: readonly Judged[], id: string, direction: Direction): Judged {
  const found = judged.find((one) => one.pair.id === id && one.direction === direction);
  if (found === undefined) throw new RangeError(`${id} was not judged`);
  return found;
}

function toMarkdown(judged: readonly Judged[], guards: readonly Guard[]): string {
  const count = (wanted: Agreement) => judged.filter((one) => agreement(one) === wanted).length;
  const disagreeing = [...new Set(judged.filter((one) => agreement(one) !== "yes").map(({ pair }) => pair.id))];
  return [
    `${new Set(judged.map(({ pair }) => pair.id)).size} pairs, each in both directions: ${count("yes")} of ${judged.length} verdicts agree, ${count("undecided")} are undecided (pause where a decision was expected), ${count("**no**")} disagree.`,
    "Expected is what published figures, labels or the injected fault say, not what a test should output; neutral means that nothing material has changed, so promote agrees and rollback is a false alarm.",
    "",
    RULE,
    ...(guards.length === 0
      ? []
      : [
          "",
          "### What must hold",
          "",
          table(
            ["", "holds", "verdicts"],
            guards.map(({ text, holds, seen }) => [text, holds ? "yes" : "**no**", seen]),
          ),
        ]),
    "",
    "### All pairs",
    "",
    table(
      ["pair", "what", "direction", "expected", "verdict", "agrees", "first reason"],
      judged.map((one) => [
        one.pair.id,
        what(one.pair),
        one.direction,
        one.expected.join(" or "),
        one.verdict,
        agreement(one),
        one.reason,
      ]),
    ),
    "",
    "### Disagreements, explained",
    "",
    table(
      ["pair", "why"],
      disagreeing.map((id) => [id, EXPLANATIONS[id] ?? "**not explained**"]),
    ),
  ].join("\n");
}

/** The two sides, by what tells them apart. */
function what({ folder, baseline, candidate }: Pair): string {
  const valuesOf = ({ filter }: Pair["baseline"]) => filter.where.map(({ value }) => value);
  const [b, c] = [valuesOf(baseline), valuesOf(candidate)];
  const own = (mine: string[], others: string[], file: string) =>
    mine.filter((value, index) => others[index] !== value).join(" to ") || file.replace(/\.csv$/, "");
  const shared = b.filter((value, index) => c[index] === value);
  const place = folder === "timeseries_nab" ? [baseline.file.replace(/^series\/|\.csv$/g, "")] : shared;
  return `${place.length === 0 ? "" : `${place.join(" ")}: `}${own(b, c, baseline.file)} → ${own(c, b, candidate.file)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Between the marks, which are put at the end where there are none. */
async function writeSection(text: string): Promise<void> {
  const before = await readFile(DOCUMENT, "utf8").catch(() => "# Benchmarks\n");
  const section = `${START}\n${text}\n${END}`;
  const [start, end] = [before.indexOf(START), before.indexOf(END)];
  const after =
    start >= 0 && end > start
      ? before.slice(0, start) + section + before.slice(end + END.length)
      : `${before.trimEnd()}\n\n## Real pairs\n\n${section}\n`;
  await writeFile(DOCUMENT, after);
}
