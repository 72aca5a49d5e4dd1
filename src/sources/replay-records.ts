import { open, stat } from "node:fs/promises";
import { TouchstoneError } from "../errors.ts";
import type { Metric } from "../model/analysis.ts";
import { createArmBuilder, emptySamples, type ArmBuilder, type RecordForm } from "./recorded-samples.ts";
import { readRecord, type RecordShape, type ReplayRecord } from "./replay-record.ts";
import type { Recording } from "./replay.ts";

/** What a file of timestamped records is read for. */
export interface RecordsRequest {
  readonly path: string;
  /** The field that tells replays apart; null: `key`, where the records have one. */
  readonly by: string | null;
  readonly metrics: readonly Metric[];
  /** The arms that are wanted; records of others are left out. */
  readonly arms: readonly string[];
  readonly stepSeconds: number;
  /** Seconds since the epoch at which every run starts; null: with the first record of its key. */
  readonly start: number | null;
}

/** The records of one key. */
export interface KeyedRecording {
  readonly key: string | number | null;
  /** Seconds since the epoch, whole milliseconds: where the run starts and the grid of steps begins. */
  readonly start: number;
  /** Both arms and all metrics; what was not recorded is empty. */
  readonly recording: Recording;
}

/**
 * Records of replays from a file with one JSON object a line, key by key as soon as the last record of a key has been read.
 *
 * The file is read twice: first to check every line, before anything is replayed, and to learn where each key ends. So a file that is sorted by key needs the memory
 * of one key, and any other order works too. What can be read only once (a pipe) is held whole.
 *
 * @param warn  is told once of each metric that the analysis does not have and each field that no record has.
 * @throws TouchstoneError `input_unavailable`, or `invalid_input` with file, line, field and fault.
 */
export async function* readRecordings(
  request: RecordsRequest,
  warn: (text: string) => void,
): AsyncGenerator<KeyedRecording> {
  const again = await isReadableAgain(request.path);
  const survey = createSurvey(request, warn);
  const held = again ? null : new Map<ReplayRecord["key"], KeyBuilder>();
  for await (const [line, number] of linesOf(request.path)) {
    const record = survey.take(line, number);
    if (record !== null && held !== null) builderOf(held, record.key, request, survey.forms).add(record);
  }
  survey.finish();
  if (held !== null) {
    for (const builder of held.values()) yield builder.finish();
    return;
  }
  const open = new Map<ReplayRecord["key"], KeyBuilder>();
  for await (const [line, number] of linesOf(request.path)) {
    const record = survey.read(line, number);
    if (record === null) continue;
    const builder = builderOf(open, record.key, request, survey.forms);
    builder.add(record);
    if (survey.lastLineOf(record.key) !== number) continue;
    open.delete(record.key);
    yield builder.finish();
  }
}

interface Survey {
  /** Checks a line and remembers what it tells of the file; null when the record is none that is wanted. */
  take(line: string, number: number): ReplayRecord | null;
  /** The same line again, which is known to be sound. */
  read(line: string, number: number): ReplayRecord | null;
  /** @throws TouchstoneError when the file as a whole cannot be replayed. */
  finish(): void;
  lastLineOf(key: ReplayRecord["key"]): number | undefined;
  readonly forms: ReadonlyMap<string, RecordForm>;
}

/** What the first reading learns: forms of metrics, where keys end, names that nobody asked for. */
function createSurvey({ path, by, metrics, arms }: RecordsRequest, warn: (text: string) => void): Survey {
  const known = new Map(metrics.map((metric) => [metric.name, metric]));
  const forms = new Map<string, RecordForm>();
  const firstShapes = new Map<string, { shape: RecordShape; line: number }>();
  const armsSeen = new Set<string>();
  const strangers = new Set<string>();
  const lastLine = new Map<ReplayRecord["key"], number>();
  let keyed: { is: boolean; line: number } | null = null;
  let lines = 0;

  const read = (line: string, number: number): ReplayRecord | null => {
    if (line.trim() === "") return null;
    return readRecord(line, { by, known, wanted: arms, fail: (fault) => fail(path, number, fault), warn: once });
  };
  const once = (text: string): void => {
    if (strangers.has(text)) return;
    strangers.add(text);
    warn(text);
  };
  const checkShape = ({ metric, shape }: ReplayRecord, number: number): void => {
    const first = firstShapes.get(metric);
    if (first === undefined) {
      firstShapes.set(metric, { shape, line: number });
      const definition = known.get(metric);
      if (definition !== undefined) forms.set(metric, formOf(definition, shape));
      return;
    }
    const other = shapeFault(shape, first.shape);
    if (other !== null)
      fail(
        path,
        number,
        `${other}, unlike the first record of ${metric} at line ${first.line}; one metric has one form`,
      );
  };

  return {
    forms,
    lastLineOf: (key) => lastLine.get(key),
    read,
    take(line, number) {
      if (line.trim() !== "") lines += 1;
      const record = read(line, number);
      if (record === null) return null;
      armsSeen.add(record.arm);
      const is = record.key !== null;
      keyed ??= { is, line: number };
      if (keyed.is !== is)
        fail(
          path,
          number,
          `${by ?? "key"} is ${is ? "given" : "missing"}, unlike in the first record at line ${keyed.line}`,
        );
      checkShape(record, number);
      if (!arms.includes(record.arm)) return null;
      lastLine.set(record.key, number);
      return record;
    },
    finish() {
      if (lines === 0) throw new TouchstoneError("invalid_input", `${path} holds no records`);
      if (armsSeen.size === 0)
        throw new TouchstoneError(
          "invalid_input",
          `${path} holds no record of a metric of the analysis, which has ${[...known.keys()].join(", ")}`,
        );
      for (const arm of arms) {
        if (armsSeen.has(arm)) continue;
        throw new TouchstoneError(
          "invalid_input",
          `${path} holds no record of the arm ${arm}; its arms are ${[...armsSeen].sort().join(", ")}: name them with --baseline and --candidate`,
        );
      }
    },
  };
}

/** A metric counted by step, whose values carry no units, is a series. */
function formOf({ unit, query }: Metric, shape: RecordShape): RecordForm {
  if (shape.holds !== "value") return shape.holds === "counts" ? "counts" : "histogram";
  if (query.instant !== undefined) return "series";
  return unit === "step" && !shape.unit ? "series" : "rows";
}

function shapeFault(shape: RecordShape, first: RecordShape): string | null {
  if (shape.holds !== first.holds) return `holds ${WORDS[shape.holds]}`;
  for (const field of ["unit", "stratum"] as const)
    if (shape[field] !== first[field]) return `${field} is ${shape[field] ? "given" : "missing"}`;
  return null;
}

const WORDS = { value: "value", counts: "events and exposure", buckets: "buckets" } as const;

interface KeyBuilder {
  add(record: ReplayRecord): void;
  finish(): KeyedRecording;
}

function builderOf(
  builders: Map<ReplayRecord["key"], KeyBuilder>,
  key: ReplayRecord["key"],
  request: RecordsRequest,
  forms: ReadonlyMap<string, RecordForm>,
): KeyBuilder {
  const known = builders.get(key);
  if (known !== undefined) return known;
  const builder = createKeyBuilder(key, request, forms);
  builders.set(key, builder);
  return builder;
}

function createKeyBuilder(
  key: ReplayRecord["key"],
  { metrics, arms, stepSeconds, start: givenStart }: RecordsRequest,
  forms: ReadonlyMap<string, RecordForm>,
): KeyBuilder {
  const builders = new Map<string, Map<string, ArmBuilder>>(arms.map((arm) => [arm, new Map()]));
  let first = Infinity;
  return {
    add(record) {
      const ofArm = builders.get(record.arm);
      if (ofArm === undefined) return;
      first = Math.min(first, record.at);
      const builder = ofArm.get(record.metric) ?? createArmBuilder(forms.get(record.metric) ?? "rows");
      ofArm.set(record.metric, builder);
      builder.add(record);
    },
    finish() {
      const start = givenStart ?? Math.floor(first * 1000) / 1000;
      const grid = { start, stepSeconds };
      const recording = new Map(
        [...builders].map(([arm, ofArm]) => [
          arm,
          new Map(
            metrics.map(({ name }) => [
              name,
              ofArm.get(name)?.finish(grid) ?? emptySamples(forms.get(name) ?? "rows", stepSeconds),
            ]),
          ),
        ]),
      );
      return { key, start, recording };
    },
  };
}

function fail(path: string, line: number, fault: string): never {
  throw new TouchstoneError("invalid_input", `${path}:${line}: ${fault}`);
}

async function isReadableAgain(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

const CHUNK_BYTES = 1024 * 1024;
/** A record is a few hundred bytes; a line longer than this is no line of records. */
const LONGEST_LINE = 8 * 1024 * 1024;

/** The lines of a file with their numbers, from 1. */
async function* linesOf(path: string): AsyncGenerator<readonly [line: string, number: number]> {
  const file = await open(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    let rest = "";
    let number = 0;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null).catch((cause: unknown) => {
        throw unreadable(path, cause);
      });
      const text = decode(decoder, chunk.subarray(0, bytesRead), bytesRead > 0, path);
      const lines = (rest + text).split("\n");
      rest = bytesRead === 0 ? "" : (lines.pop() ?? "");
      for (const line of lines) {
        number += 1;
        if (bytesRead > 0 || line !== "") yield [line, number];
      }
      if (rest.length > LONGEST_LINE) fail(path, number + 1, `is longer than ${LONGEST_LINE} characters`);
      if (bytesRead === 0) return;
    }
  } finally {
    await file.close();
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array, stream: boolean, path: string): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (cause) {
    throw new TouchstoneError("invalid_input", `${path} is not UTF-8 text`, { cause });
  }
}

function unreadable(path: string, cause: unknown): TouchstoneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TouchstoneError("input_unavailable", `${path} cannot be read: ${why}`, { cause });
}
