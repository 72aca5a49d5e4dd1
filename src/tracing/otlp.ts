import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type Span as OtelSpan } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log.ts";
import { ENGINE } from "../model/engine.ts";
import { partsOfTraceParent, type TraceParent } from "../model/trace-parent.ts";
import type { Span, SpanOptions, Tracing } from "./tracing.ts";

const CLOSE_DEADLINE_MS = 3_000;

const KINDS = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
} as const;

/**
 * Traces over OTLP (http/protobuf). Endpoint, headers, sampler, batches and resource are the standard `OTEL_*` variables, which the vendor reads itself.
 *
 * Nothing is registered globally, and nothing is patched: spans are only what this program begins by name.
 */
export function createOtlpTracing({ log }: { readonly log: Logger }): Tracing {
  const [name = "", version = ""] = ENGINE.split(" ");
  // What the environment says comes last: it may name the service.
  const resource = defaultResource()
    .merge(resourceFromAttributes({ "service.name": name, "service.version": version }))
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(tellOfFailures(new OTLPTraceExporter(), log))],
  });
  const tracer = provider.getTracer(name, version);

  const start = (name: string, within: Context, { kind = "internal", atMs, attributes = {} }: SpanOptions): Span => {
    const options = { kind: KINDS[kind], attributes, startTime: toHrTime(atMs) };
    return toSpan(tracer.startSpan(name, options, within));
  };

  const toSpan = (span: OtelSpan): Span => ({
    traceParent: toTraceParent(span),
    child: (name, options = {}) => start(name, trace.setSpan(ROOT_CONTEXT, span), options),
    set: (attributes) => void span.setAttributes(attributes),
    event: (name, attributes) => void span.addEvent(name, attributes),
    fail(type) {
      span.setAttribute("error.type", type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
    end: ({ atMs } = {}) => span.end(toHrTime(atMs)),
  });

  return {
    start: (name, { parent, ...options }) => start(name, contextOf(parent), options),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
      });
      // A collector that is away has been told of already.
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

/** Seconds and nanoseconds: the vendor would read a small number as time since the start of the process. */
function toHrTime(ms: number | undefined): [number, number] | undefined {
  return ms === undefined ? undefined : [Math.floor(ms / 1000), Math.floor((ms % 1000) * 1e6)];
}

function contextOf(parent: TraceParent | null): Context {
  if (parent === null) return ROOT_CONTEXT;
  const { traceId, spanId, flags } = partsOfTraceParent(parent);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true });
}

function toTraceParent(span: OtelSpan): TraceParent {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** The same exporter, which says once when the collector stops taking spans and once when it takes them again. */
function tellOfFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined;
        if (failed && !failing) log.warn({ err: result.error }, "the collector does not take traces");
        if (!failed && failing) log.info("the collector takes traces again");
        failing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
