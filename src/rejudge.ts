import { ERRORS, TouchstoneError, type ErrorCode } from "./errors.ts";
import { look } from "./look.ts";
import { canonicalJson } from "./model/canonical.ts";
import { ENGINE } from "./model/engine.ts";
import type { LookEvidence, Question } from "./model/look-evidence.ts";
import { readStoredState, toStoredState, type LookState } from "./model/look-state.ts";
import type { Run } from "./model/run.ts";
import { readBody } from "./recorded-look.ts";
import type { MetricSource, Sources } from "./sources/source.ts";
import type { StoredEvidence } from "./store/runs.ts";

/** What judging the looks of a run again came to. */
export interface Rejudgement {
  /** `unverifiable`: no evidence of a look was kept, or another engine judged and comes to something else. */
  readonly outcome: "identical" | "differs" | "unverifiable";
  readonly looks: number;
  /** Looks that were judged again and came to the same bytes. */
  readonly identical: number;
  /** Looks of which no evidence was kept. */
  readonly notKept: readonly number[];
  /** The engines that judged, when not this one alone. */
  readonly otherEngines: readonly string[];
  readonly difference: Difference | null;
}

export interface Difference {
  readonly look: number;
  /** JSON pointer into the report; `/evidence` when the evidence cannot be judged at all. */
  readonly path: string;
  readonly stored: string;
  readonly rejudged: string;
}

/**
 * Judges every look of a run again from what it was given, each from the state that the one before came to, and compares the reports byte for byte. Of another
 * engine's reports everything must be equal but the engine's name.
 *
 * @param looks  all looks of the run so far, in their order.
 */
export async function rejudge(run: Run, looks: readonly StoredEvidence[], signal: AbortSignal): Promise<Rejudgement> {
  let identical = 0;
  let difference: Difference | null = null;
  const notKept: number[] = [];
  const otherEngines = new Set<string>();
  // Undefined: unknown, since the look before was not kept.
  let state: LookState | null | undefined = null;
  for (const one of looks) {
    if (one.body === null || (one.state === null && state === undefined)) {
      notKept.push(one.n);
      state = undefined;
      continue;
    }
    if (one.engine !== null && one.engine !== ENGINE) otherEngines.add(one.engine);
    const again = await judgeAgain(run, one, one.body, state ?? null, signal);
    if ("difference" in again) {
      difference = again.difference;
      break;
    }
    identical += 1;
    state = again.state;
  }
  // The latest look is the one that a caller goes by.
  const sure = difference === null ? state !== undefined && identical > 0 : otherEngines.size === 0;
  return {
    outcome: !sure ? "unverifiable" : difference === null ? "identical" : "differs",
    looks: looks.length,
    identical,
    notKept,
    otherEngines: [...otherEngines],
    difference,
  };
}

async function judgeAgain(
  run: Run,
  { n, at, report: stored, engine, state: before }: StoredEvidence,
  body: Uint8Array,
  previous: LookState | null,
  signal: AbortSignal,
): Promise<{ readonly state: LookState } | { readonly difference: Difference }> {
  const broken = (was: string, is: string) => ({
    difference: { look: n, path: "/evidence", stored: was, rejudged: is },
  });
  try {
    const evidence = readBody(body);
    if (evidence.run !== run.id || evidence.at !== at)
      return broken(`evidence of ${evidence.run} at ${evidence.at}`, `a look at ${run.id} at ${at}`);
    const { report, state } = await look(
      replayed(evidence),
      { ...run, window: evidence.window },
      before === null ? previous : readStoredState(before),
      at,
      signal,
    );
    // What another engine judged names that engine.
    const rejudged = canonicalJson({ ...report, evidence: { ...report.evidence, engine: engine ?? ENGINE } });
    // The next look continues from what the record holds, as a worker does.
    if (rejudged === stored) return { state: readStoredState(toStoredState(state)) };
    return { difference: { look: n, ...firstDifference(stored, rejudged) } };
  } catch (error) {
    signal.throwIfAborted();
    // Evidence that was changed can hold anything; that it cannot be judged is what was to be found out.
    return broken("a report", `cannot be judged: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Sources that answer as they did then. */
function replayed({ answers }: LookEvidence): Sources {
  const known = new Map(answers.map(({ question, outcome }) => [keyOf(question), outcome]));
  const sourceOf = (source: string): MetricSource => ({
    type: "replay",
    check: () => [],
    render: () => "",
    fetch({ metric, version, window }) {
      const outcome = known.get(keyOf({ source, metric: metric.name, version, window }));
      if (outcome === undefined)
        throw new RangeError(`${source} was not asked for ${metric.name} of ${version.label} in this window`);
      if ("code" in outcome) throw new TouchstoneError(toCode(outcome.code), outcome.detail);
      return Promise.resolve(outcome);
    },
  });
  return new Map(answers.map(({ question: { source } }) => [source, sourceOf(source)]));
}

const keyOf = (question: Question): string => canonicalJson(question);

function toCode(text: string): ErrorCode {
  const code = (Object.keys(ERRORS) as ErrorCode[]).find((one) => one === text);
  if (code === undefined) throw new RangeError(`${text} is no code of an error`);
  return code;
}

interface Unequal {
  readonly path: string;
  readonly stored: string;
  readonly rejudged: string;
}

/** Where two reports first differ, keys in their order; the digest before all, since it tells changed evidence from changed judging. */
function firstDifference(stored: string, rejudged: string): Unequal {
  let before: unknown;
  try {
    before = JSON.parse(stored);
  } catch {
    return { path: "", stored: show(stored), rejudged: show(rejudged) };
  }
  const after: unknown = JSON.parse(rejudged);
  const [was, is] = [before, after].map((report) => at(at(report, "evidence"), "digest"));
  return was === is ? descend("", before, after) : { path: "/evidence/digest", stored: show(was), rejudged: show(is) };
}

function descend(path: string, stored: unknown, rejudged: unknown): Unequal {
  if (isBranch(stored) && isBranch(rejudged)) {
    for (const key of [...new Set([...Object.keys(stored), ...Object.keys(rejudged)])].sort()) {
      const [was, is] = [stored[key], rejudged[key]];
      if (JSON.stringify(was) !== JSON.stringify(is)) return descend(`${path}/${toPointerPart(key)}`, was, is);
    }
  }
  return { path, stored: show(stored), rejudged: show(rejudged) };
}

const isBranch = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const at = (value: unknown, key: string): unknown => (isBranch(value) ? value[key] : undefined);
const toPointerPart = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
/** Long enough for a sentence of a report. */
const show = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value).slice(0, 300));
