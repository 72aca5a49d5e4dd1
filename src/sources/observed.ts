import { isTouchstoneError } from "../errors.ts";
import { sampleSize } from "../model/samples.ts";
import type { MetricSource, Sources } from "./source.ts";

/** One question to a source, for one arm of one metric: how long it took and how it ended. */
export interface ObservedQuery {
  readonly source: string;
  readonly type: MetricSource["type"];
  readonly metric: string;
  /** The label of the version that was asked about. */
  readonly version: string;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
  /** Rows, steps or observations that came back; null without an answer. */
  readonly rows: number | null;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
}

export type ObserveQuery = (query: ObservedQuery) => void;

/** The same sources, each question told to `observe`. */
export function observed(sources: Sources, observe: ObserveQuery): Sources {
  return new Map([...sources].map(([name, source]) => [name, observedSource(name, source, observe)]));
}

function observedSource(name: string, source: MetricSource, observe: ObserveQuery): MetricSource {
  return {
    ...source,
    async fetch(request, signal) {
      const { metric, version } = request;
      const [startMs, started] = [Date.now(), performance.now()];
      const end = (outcome: string, rows: number | null) =>
        observe({
          source: name,
          type: source.type,
          metric: metric.name,
          version: version.label,
          outcome,
          rows,
          startMs,
          endMs: startMs + performance.now() - started,
        });
      try {
        const answer = await source.fetch(request, signal);
        end("ok", sampleSize(answer.samples));
        return answer;
      } catch (error) {
        end(isTouchstoneError(error) ? error.code : signal.aborted ? "cancelled" : "internal", null);
        throw error;
      }
    },
  };
}
