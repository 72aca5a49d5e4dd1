import type { Metric } from "../model/analysis.ts";
import type { Query } from "../model/query.ts";
import type { Window } from "../model/run.ts";
import type { Answer } from "../model/samples.ts";
import type { Version } from "../model/version.ts";

/** One question to a source: this metric, of this arm, in this window. */
export interface SourceRequest {
  readonly metric: Metric;
  readonly version: Version;
  readonly args: Readonly<Record<string, string>>;
  /** Null: everything there is. Only files can answer that. */
  readonly window: Window | null;
  readonly stepSeconds: number;
  /**
   * Steps up to this time, in seconds since the epoch, are asked for once more: whether they have changed is what matters, what was wrong with them was told when they
   * were taken in.
   */
  readonly takenUpTo?: number;
}

/** The port: where samples come from. One adapter per kind of source. */
export interface MetricSource {
  readonly type: "prometheus" | "postgres" | "file" | "replay";

  /** Faults of a query that show without a version at hand, one sentence each; empty when there are none. */
  check(query: Query): readonly string[];

  /**
   * The question as it will be asked, with its parameters: two arms whose renderings are equal cannot be compared.
   *
   * @throws TouchstoneError `invalid_query` naming what cannot be filled in.
   */
  render(request: SourceRequest): string;

  /**
   * The samples of one arm. No samples is an answer with empty arrays, not an error.
   *
   * @throws TouchstoneError `source_*` or `invalid_query` when there is no trustworthy answer.
   */
  fetch(request: SourceRequest, signal: AbortSignal): Promise<Answer>;
}

/** The configured sources by name. */
export type Sources = ReadonlyMap<string, MetricSource>;
