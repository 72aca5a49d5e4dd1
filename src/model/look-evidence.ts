import { z } from "zod";
import type { Window } from "./run.ts";
import type { Answer, Samples } from "./samples.ts";
import { Instant } from "./time.ts";
import { Version } from "./version.ts";

/** Everything that one look was given besides the run and the state before it: enough to judge again. */
export interface LookEvidence {
  readonly run: string;
  /** The `now` of the look. */
  readonly at: Instant;
  /** The run's window as it stood at this look; a run that is told to finish gets a shorter one. */
  readonly window: Window | null;
  /** In the order in which they were asked. */
  readonly answers: readonly KeptAnswer[];
}

/** What one source answered, or the error that it gave instead. */
export interface KeptAnswer {
  readonly question: Question;
  readonly outcome: Answer | { readonly code: string; readonly detail: string };
}

/** What was given of a metric for one version, in the order of asking; errors are left out. */
export function samplesGiven(answers: readonly KeptAnswer[], metric: string, label: string): Samples[] {
  return answers.flatMap(({ question, outcome }) =>
    question.metric === metric && question.version.label === label && "samples" in outcome ? [outcome.samples] : [],
  );
}

/** What tells the questions of one look apart. */
export interface Question {
  readonly source: string;
  readonly metric: string;
  readonly version: Version;
  readonly window: Window | null;
}

/**
 * One piece of bytes: the length of a JSON head, the head, and the columns behind it. Texts and columns that several metrics share are held once. The bytes of a
 * column stand by their place in the number, all first bytes before all second ones, which is where numbers of one kind resemble each other: it compresses better.
 */
export function packEvidence(evidence: LookEvidence): Uint8Array {
  const columns: { readonly type: ColumnType; readonly bytes: Buffer }[] = [];
  const texts: string[] = [];
  const toColumn = (array: Float64Array | Int32Array): number => {
    const type = array instanceof Float64Array ? "f64" : "i32";
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    const known = columns.findIndex((column) => column.type === type && column.bytes.equals(bytes));
    return known >= 0 ? known : columns.push({ type, bytes }) - 1;
  };
  const toTexts = (list: readonly string[]): number => {
    const text = JSON.stringify(list);
    const known = texts.indexOf(text);
    return known >= 0 ? known : texts.push(text) - 1;
  };
  const body = JSON.stringify({ v: 1, ...evidence }, (key, value: unknown) => {
    if (value instanceof Float64Array || value instanceof Int32Array) return { column: toColumn(value) };
    if (LISTS.has(key) && Array.isArray(value)) return { texts: toTexts(value as readonly string[]) };
    return value;
  });
  const shapes = columns.map(({ type, bytes }) => [type, bytes.length / WIDTH[type]]);
  const head = Buffer.from(`[${body},${JSON.stringify(shapes)},[${texts.join(",")}]]`);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, ...columns.map(({ type, bytes }) => byPlace(bytes, WIDTH[type]))]);
}

/** @throws when the bytes were not written by `packEvidence`. */
export function readEvidence(bytes: Uint8Array): LookEvidence {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headEnd = 4 + all.readUInt32LE(0);
  const [body, shapes, texts] = Head.parse(JSON.parse(all.toString("utf8", 4, headEnd)));
  let place = headEnd;
  const columns = shapes.map(([type, length]) => {
    const end = place + length * WIDTH[type];
    if (end > all.length) throw new RangeError("the evidence ends in the middle of a column");
    const { buffer } = byNumber(all.subarray(place, end), WIDTH[type]);
    place = end;
    return type === "f64" ? new Float64Array(buffer) : new Int32Array(buffer);
  });
  if (place !== all.length) throw new RangeError("the evidence goes on behind its last column");
  const pick = <T>(list: readonly T[], index: number): T => {
    const found = list[index];
    if (found === undefined) throw new RangeError(`the evidence has no column or list ${index}`);
    return found;
  };
  const restored: unknown = JSON.parse(JSON.stringify(body), (_, value: unknown) => {
    const column = InColumn.safeParse(value);
    if (column.success) return pick(columns, column.data.column);
    const list = InTexts.safeParse(value);
    return list.success ? pick(texts, list.data.texts) : value;
  });
  // Its frame has been checked; the rest was written by this program, of the version that `v` names.
  return restored as LookEvidence;
}

/** Lists of names: a set of rows holds thousands, and the metrics of one table all the same. */
const LISTS = new Set(["unitNames", "stratumNames", "names"]);

type ColumnType = "f64" | "i32";
const WIDTH: Readonly<Record<ColumnType, number>> = { f64: 8, i32: 4 };

/** May be empty, unlike a caller's: a look whose clock was set back asks for no time at all. */
const AskedWindow = z.object({ start: Instant, end: Instant });
const Frame = z.looseObject({
  v: z.literal(1),
  run: z.string(),
  at: Instant,
  window: AskedWindow.nullable(),
  answers: z.array(
    z.looseObject({
      question: z.object({ source: z.string(), metric: z.string(), version: Version, window: AskedWindow.nullable() }),
      outcome: z.looseObject({}),
    }),
  ),
});
const Head = z.tuple([Frame, z.array(z.tuple([z.enum(["f64", "i32"]), z.int().min(0)])), z.array(z.array(z.string()))]);
const InColumn = z.strictObject({ column: z.int().min(0) });
const InTexts = z.strictObject({ texts: z.int().min(0) });

function byPlace(bytes: Buffer, width: number): Buffer {
  const count = bytes.length / width;
  const result = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < count; i++)
    for (let place = 0; place < width; place++) result[place * count + i] = bytes[i * width + place] ?? 0;
  return result;
}

/** The way back, into a buffer of its own, which begins at a multiple of eight. */
function byNumber(bytes: Buffer, width: number): Uint8Array<ArrayBuffer> {
  const count = bytes.length / width;
  const result = new Uint8Array(bytes.length);
  for (let i = 0; i < count; i++)
    for (let place = 0; place < width; place++) result[i * width + place] = bytes[place * count + i] ?? 0;
  return result;
}
