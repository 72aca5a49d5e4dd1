import { isTouchstoneError } from "../errors.ts";
import type { ObservedQuery } from "../sources/observed.ts";
import type { Claim } from "../store/work.ts";
import type { Telemetry } from "../telemetry.ts";
import type { Span, Tracing } from "../tracing/tracing.ts";
import type { LookObserver } from "./look-threads.ts";
import type { TimedPart } from "./timed-parts.ts";

/** The span of one look, under the run's, with its queries and the parts of its judgement as children. */
export function startLookSpan(tracing: Tracing, { run, epoch, worker, looks, traceParent }: Claim): Span {
  return tracing.start("look", {
    parent: traceParent,
    kind: "consumer",
    attributes: {
      "touchstone.run": run.id,
      "touchstone.analysis": run.analysis.name,
      "touchstone.look": looks + 1,
      "touchstone.epoch": epoch,
      "touchstone.worker": worker,
    },
  });
}

/** Puts what happens in a look into the metrics and under its span. */
export function observeLook(telemetry: Telemetry, span: Span): LookObserver {
  return {
    query(query) {
      const { source, outcome, startMs, endMs } = query;
      telemetry.sourceQuerySeconds.observe({ source, outcome }, (endMs - startMs) / 1000);
      addQuery(span, query);
    },
    parts(parts) {
      for (const { part, startMs, endMs } of parts)
        if (part === "judge") telemetry.judgeSeconds.observe((endMs - startMs) / 1000);
      addParts(span, parts);
    },
  };
}

/** A code or a name for what went wrong: few, and nothing that a source or a caller wrote. */
export function errorType(error: unknown): string {
  if (isTouchstoneError(error)) return error.code;
  return error instanceof Error ? error.name : "unknown";
}

function addQuery(span: Span, { source, type, metric, version, outcome, rows, startMs, endMs }: ObservedQuery): void {
  const child = span.child("query", {
    kind: "client",
    atMs: startMs,
    attributes: {
      "touchstone.source": source,
      "touchstone.source.type": type,
      "touchstone.metric": metric,
      "touchstone.version": version,
      "touchstone.outcome": outcome,
      "touchstone.rows": rows ?? undefined,
    },
  });
  if (outcome !== "ok") child.fail(outcome);
  child.end({ atMs: endMs });
}

/** Which attribute says what a part is of. */
const NAMED_BY: Readonly<Record<TimedPart["part"], string>> = {
  judge: "touchstone.version",
  metric: "touchstone.metric",
  test: "touchstone.test",
};

function addParts(span: Span, parts: readonly TimedPart[]): void {
  const spans: Span[] = [];
  for (const { part, name, within, startMs, endMs } of parts) {
    const parent = within === null ? span : (spans[within] ?? span);
    const child = parent.child(part, { atMs: startMs, attributes: { [NAMED_BY[part]]: name } });
    child.end({ atMs: endMs });
    spans.push(child);
  }
}
