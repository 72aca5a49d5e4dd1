import { Option, type Command } from "commander";
import { TouchstoneError } from "../errors.ts";
import { canonicalJson } from "../model/canonical.ts";
import { ENGINE } from "../model/engine.ts";
import { rejudge, type Rejudgement } from "../rejudge.ts";
import type { Client } from "./client.ts";
import { decidedRuns } from "./decided-runs.ts";
import type { AuditHead } from "../model/audit.ts";
import { auditHead, tableOrJson, whole } from "./options.ts";
import { verifyAudit, type AuditCheck } from "./verify-audit.ts";

/** What `verify` stands on. */
export interface VerifyDependencies {
  readonly client: () => Client;
  readonly stdout: (text: string) => void;
  readonly setExit: (code: number) => void;
}

/** A run and what judging it again came to. */
interface Verified extends Rejudgement {
  readonly run: string;
}

const EXIT: Readonly<Record<Verified["outcome"], number>> = { identical: 0, differs: 1, unverifiable: 2 };

const RUN_TIMEOUT_MS = 120_000;
const AUDIT_TIMEOUT_MS = 600_000;

/** `touchstone verify`: judges stored runs again, here, and compares the bytes. */
export function addVerifyCommand(program: Command, { client, stdout, setExit }: VerifyDependencies): void {
  program
    .command("verify")
    .description(
      "judge a stored run again, here, from what it was given, and compare the reports byte for byte; or `verify audit`: follow the audit log from its first record",
    )
    .argument("[run]", "the id of a run, or audit")
    .option("--all", "all decided runs, the newest first", false)
    .addOption(new Option("--limit <n>", "with --all: how many").argParser(whole(1, 1_000_000)))
    .addOption(
      new Option("--known <seq:hash>", "with audit: a link that you kept, which the log must still hold").argParser(
        auditHead,
      ),
    )
    .addOption(tableOrJson())
    .addHelpText(
      "after",
      "\nExit code: 0 identical, 1 differs, 2 cannot be verified: no evidence was kept, or another engine judged and comes to something else. Of the audit log: 0 sound, 1 tampered with.",
    )
    .action(async (id: string | undefined, options: VerifyOptions) => {
      if (id === "audit") {
        const check = await verifyAudit(client(), options.known ?? null, AbortSignal.timeout(AUDIT_TIMEOUT_MS));
        stdout(options.output === "json" ? `${canonicalJson(check)}\n` : auditText(check));
        setExit(check.sound ? 0 : 1);
        return;
      }
      if ((id !== undefined) === options.all)
        throw new TouchstoneError("invalid_request", "give a run, --all, or audit");
      const tally = { identical: 0, differs: 0, unverifiable: 0 };
      const all = decidedRuns(client(), { limit: options.limit ?? Infinity });
      for await (const run of id === undefined ? all : [id]) {
        const verified = await verify(client(), run);
        tally[verified.outcome] += 1;
        stdout(options.output === "json" ? `${canonicalJson(verified)}\n` : toText(verified));
      }
      if (options.all && options.output === "table")
        stdout(
          `${tally.identical} identical, ${tally.differs} differ, ${tally.unverifiable} cannot be verified, by ${ENGINE}\n`,
        );
      setExit(EXIT[tally.differs > 0 ? "differs" : tally.unverifiable > 0 ? "unverifiable" : "identical"]);
    });
}

interface VerifyOptions {
  readonly all: boolean;
  readonly limit?: number;
  readonly known?: AuditHead;
  readonly output: "table" | "json";
}

function auditText(check: AuditCheck): string {
  if (!check.sound) return `record ${check.seq} ${check.fault}\n`;
  return `the audit log is sound: ${check.head.seq} records, head ${check.head.seq}:${check.head.hash}\n`;
}

async function verify(client: Client, id: string): Promise<Verified> {
  const signal = AbortSignal.timeout(RUN_TIMEOUT_MS);
  const { run, items } = await client.readEvidence(id, signal);
  const looks = items.map((item) => ({ ...item, body: item.body === null ? null : Buffer.from(item.body, "base64") }));
  const rejudged = await rejudge(run, looks, signal);
  const last = looks.at(-1);
  if (rejudged.difference !== null || last === undefined) return { run: id, ...rejudged };
  // The verdict that callers read stands beside the looks: it must be what the last one decided.
  const [view, report] = await Promise.all([client.readRun(id, 0, signal), client.readReportText(id, signal)]);
  const decided = (JSON.parse(last.report) as { verdict: string | null }).verdict;
  const unequal =
    report !== last.report
      ? {
          path: "",
          stored: "another report of the run than its last look gave",
          rejudged: "the report of the last look",
        }
      : view.status === "done" && view.verdict !== decided
        ? { path: "/verdict", stored: JSON.stringify(view.verdict), rejudged: JSON.stringify(decided) }
        : null;
  if (unequal === null) return { run: id, ...rejudged };
  return { run: id, ...rejudged, outcome: "differs", difference: { look: last.n, ...unequal } };
}

function toText({ run, outcome, looks, identical, notKept, otherEngines, difference }: Verified): string {
  const engines = otherEngines.length === 0 ? "" : `; judged by ${otherEngines.join(", ")}, again by ${ENGINE}`;
  const missing = notKept.length === 0 ? "" : `; no evidence was kept of ${nameLooks(notKept)}`;
  const line = (text: string) => `${run}  ${outcome.padEnd(12)}  ${text}${engines}${missing}\n`;
  if (looks === 0) return line("the run has no look");
  const counted = `${identical} of ${looks} ${looks === 1 ? "look" : "looks"} judged again, byte for byte the same`;
  if (difference === null) return line(counted);
  const { look, path, stored, rejudged } = difference;
  return `${line(`look ${look} differs${path === "" ? "" : ` at ${path}`}`)}  stored    ${stored}\n  rejudged  ${rejudged}\n`;
}

function nameLooks(looks: readonly number[]): string {
  const shown = looks.slice(0, 5).join(", ");
  return `${looks.length === 1 ? "look" : "looks"} ${shown}${looks.length > 5 ? ` and ${looks.length - 5} more` : ""}`;
}
