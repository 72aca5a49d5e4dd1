import { isTouchstoneError } from "../errors.ts";
import type { MetricSource, Sources } from "./source.ts";

/** How long one question took and how it ended: `ok`, or the code of the error. */
export type ObserveQuery = (source: string, outcome: string, seconds: number) => void;

/** The same sources, each question told to `observe`. */
export function observed(sources: Sources, observe: ObserveQuery): Sources {
  return new Map([...sources].map(([name, source]) => [name, observedSource(name, source, observe)]));
}

function observedSource(name: string, source: MetricSource, observe: ObserveQuery): MetricSource {
  return {
    ...source,
    async fetch(request, signal) {
      const started = performance.now();
      const end = (outcome: string) => observe(name, outcome, (performance.now() - started) / 1000);
      try {
        const answer = await source.fetch(request, signal);
        end("ok");
        return answer;
      } catch (error) {
        end(isTouchstoneError(error) ? error.code : signal.aborted ? "cancelled" : "internal");
        throw error;
      }
    },
  };
}
