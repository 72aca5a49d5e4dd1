import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { isTouchstoneError } from "./errors.ts";
import type { Judged } from "./judge/judge.ts";
import { unwatched, type Watch } from "./judge/watch.ts";
import { look } from "./look.ts";
import { ENGINE } from "./model/engine.ts";
import { packEvidence, readEvidence, type KeptAnswer, type LookEvidence } from "./model/look-evidence.ts";
import type { LookState } from "./model/look-state.ts";
import type { Run } from "./model/run.ts";
import type { Instant } from "./model/time.ts";
import type { MetricSource, Sources } from "./sources/source.ts";
import type { NewEvidence } from "./store/work.ts";

/** A look with what it was given, so that it can be judged again. */
export interface RecordedLook extends Judged {
  /** Absent when none is to be kept. */
  readonly evidence?: NewEvidence;
}

/**
 * `look`, keeping what the sources answered.
 *
 * @param limitBytes  of evidence that the record keeps of one run; a look that has more is kept without. 0 keeps none.
 * @param watch       as of `look`.
 */
export async function lookAndRecord(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  limitBytes: number,
  watch: Watch = unwatched,
): Promise<RecordedLook> {
  if (limitBytes === 0) return look(sources, run, previous, now, signal, watch);
  const answers: (() => KeptAnswer)[] = [];
  const judged = await look(recorded(sources, answers), run, previous, now, signal, watch);
  const kept = answers.map((answer) => answer());
  const body = compress({ run: run.id, at: now, window: run.window, answers: kept });
  const bytes = body.length;
  return { ...judged, evidence: { engine: ENGINE, bytes, limitBytes, body: bytes > limitBytes ? null : body } };
}

/** Higher takes three times as long and saves a twentieth. */
const QUALITY = 3;

/** What a look of the largest permitted answers comes to, several times over; more is not evidence. */
const MAX_UNPACKED_BYTES = 2 ** 30;

/** In a buffer of its own, which can be handed to another thread. */
function compress(evidence: LookEvidence): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    brotliCompressSync(packEvidence(evidence), { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } }),
  );
}

/** @throws when the bytes are not those of a recorded look. */
export function readBody(body: Uint8Array): LookEvidence {
  return readEvidence(brotliDecompressSync(body, { maxOutputLength: MAX_UNPACKED_BYTES }));
}

/** The same sources; what each is asked and answers goes to `answers`, in the order of asking. */
function recorded(sources: Sources, answers: (() => KeptAnswer)[]): Sources {
  return new Map(
    [...sources].map(([name, source]): [string, MetricSource] => [
      name,
      {
        ...source,
        async fetch(request, signal) {
          const { metric, version, window } = request;
          const question = { source: name, metric: metric.name, version, window };
          let outcome: KeptAnswer["outcome"] | undefined;
          answers.push(() => {
            if (outcome === undefined) throw new RangeError(`the look ended before ${name} had answered`);
            return { question, outcome };
          });
          try {
            const answer = await source.fetch(request, signal);
            outcome = answer;
            return answer;
          } catch (error) {
            if (isTouchstoneError(error)) outcome = { code: error.code, detail: error.message };
            throw error;
          }
        },
      },
    ]),
  );
}
