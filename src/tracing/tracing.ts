import type { TraceParent } from "../model/trace-parent.ts";

/**
 * The port of traces: what happened when, and within what.
 *
 * A trace may be lost, and nothing depends on one. No method throws or waits.
 */
export interface Tracing {
  /** Begins a span: under the parent, or in a trace of its own where there is none. */
  start(name: string, options: { readonly parent: TraceParent | null } & SpanOptions): Span;
  /** Sends what has not been sent, within a bounded time. */
  close(): Promise<void>;
}

export interface Span {
  /** What to hand to others, so that their spans become children of this one; null where there is no trace. */
  readonly traceParent: TraceParent | null;
  /** Begins a span within this one. */
  child(name: string, options?: SpanOptions): Span;
  set(attributes: Attributes): void;
  event(name: string, attributes: Attributes): void;
  /** Marks the span as failed. @param type  a code or the name of an error: few, and never free text. */
  fail(type: string): void;
  end(options?: { readonly atMs?: number }): void;
}

export interface SpanOptions {
  /** `producer` begins what others do later, `consumer` does it; `client` waits for somebody else. */
  readonly kind?: "internal" | "producer" | "consumer" | "client";
  /** Milliseconds since the epoch; now where it is left out. */
  readonly atMs?: number;
  readonly attributes?: Attributes;
}

/** No query text, no secrets, no samples. What is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
