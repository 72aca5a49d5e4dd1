import { z } from "zod";
import { TouchstoneError, type ErrorCode } from "../errors.ts";
import type { FetchText, HttpAnswer } from "../http.ts";
import { queryForm, type Query } from "../model/query.ts";
import type { Answer } from "../model/samples.ts";
import { epochSeconds } from "../model/time.ts";
import { createFaultTally, readNumber, type FaultTally } from "./cell.ts";
import { toCounts, toHistogram, type RawSeries } from "./counters.ts";
import { fromNativeHistograms, NativeItem } from "./native-histogram.ts";
import { checkPromql, renderPromql } from "./promql.ts";
import type { Persist } from "./retries.ts";
import type { MetricSource, SourceRequest } from "./source.ts";

export interface PrometheusOptions {
  readonly name: string;
  readonly baseUrl: string;
  /** Read anew for every query, so that a rotated secret is used at once. */
  readonly authorization: () => Promise<string | null>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxSeries: number;
  readonly fetchText: FetchText;
  readonly persist: Persist;
}

/** Prometheus refuses more points per series than this. */
const MAX_POINTS = 11_000;

const VectorItem = z.object({ metric: z.record(z.string(), z.string()), value: z.unknown() });
const MatrixItem = z.object({ metric: z.record(z.string(), z.string()), values: z.array(z.unknown()).optional() });
const Envelope = z.object({
  status: z.enum(["success", "error"]),
  errorType: z.string().optional(),
  error: z.string().optional(),
  warnings: z.array(z.string()).optional(),
  infos: z.array(z.string()).optional(),
  data: z.object({ resultType: z.string(), result: z.unknown() }).optional(),
});

/**
 * Prometheus, or whatever speaks its query API.
 *
 * Counters and buckets are asked for raw and differenced here, series by series and step by step: `increase()` extrapolates to events that
 * never happened, and a sum over replicas hides the restart of one of them.
 */
export const createPrometheusSource = (options: PrometheusOptions): MetricSource => ({
  type: "prometheus",

  check(query) {
    const form = queryForm(query);
    if (form === "sql" || form === "value")
      return [
        `asks for ${form}, but ${options.name} is a Prometheus source; give histogram, series, instant, or events and exposure`,
      ];
    const odd = (["at", "unit", "stratum", "where"] as const).find((key) => query[key] !== undefined);
    if (odd !== undefined) return [`holds ${odd}, which only a file source knows`];
    return expressions(query).flatMap(([key, template]) => checkPromql(template).map((fault) => `${key}: ${fault}`));
  },

  render(request) {
    return JSON.stringify([
      options.name,
      ...expressions(request.metric.query).map(([key, template]) => [key, renderPromql(template, request)]),
    ]);
  },

  async fetch(request, signal) {
    const { query } = request.metric;
    const form = queryForm(query);
    switch (form) {
      case "histogram":
        return fetchHistogram(options, request, query.histogram ?? "", signal);
      case "counts": {
        const [events, exposure] = await Promise.all([
          queryRange(options, request, query.events ?? "", signal),
          queryRange(options, request, query.exposure ?? "", signal),
        ]);
        return toCounts(events, exposure, request.stepSeconds);
      }
      case "series":
        return toSeries(await queryRange(options, request, query.series ?? "", signal), request, options.name);
      case "instant":
        return toSeries(await queryInstant(options, request, query.instant ?? "", signal), request, options.name);
      case "sql":
      case "value":
        throw new TouchstoneError(
          "invalid_query",
          `metric ${request.metric.name} asks for ${form}, but ${options.name} is a Prometheus source`,
        );
    }
  },
});

function expressions(query: Query): [key: string, template: string][] {
  return (["histogram", "series", "instant", "events", "exposure"] as const).flatMap((key) =>
    query[key] === undefined ? [] : [[key, query[key]]],
  );
}

/** Classic buckets and native histograms are asked for in the same way; what comes back tells which they are. */
async function fetchHistogram(
  options: PrometheusOptions,
  request: SourceRequest,
  template: string,
  signal: AbortSignal,
): Promise<Answer> {
  const { result, warnings } = await askRange(options, request, template, signal);
  const isNative =
    Array.isArray(result) &&
    result.some((item: unknown) => typeof item === "object" && item !== null && "histograms" in item);
  if (isNative)
    return fromNativeHistograms(
      parseResult(z.array(NativeItem), result, options),
      request.stepSeconds,
      options.name,
      warnings,
      request.takenUpTo,
    );
  return toHistogram(toRangeAnswer(result, warnings, request, options), request.stepSeconds, options.name);
}

/** Series as they came, every point a finite number, and what was not. */
interface RangeAnswer {
  readonly series: readonly RawSeries[];
  readonly faults: FaultTally;
  readonly warnings: readonly string[];
}

async function queryRange(
  options: PrometheusOptions,
  request: SourceRequest,
  template: string,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  const { result, warnings } = await askRange(options, request, template, signal);
  return toRangeAnswer(result, warnings, request, options);
}

async function askRange(
  options: PrometheusOptions,
  request: SourceRequest,
  template: string,
  signal: AbortSignal,
): Promise<{ result: unknown; warnings: readonly string[] }> {
  const { start, end } = windowOf(request, options.name);
  const points = Math.floor((end - start) / request.stepSeconds) + 1;
  if (points > MAX_POINTS) {
    throw new TouchstoneError(
      "invalid_query",
      `a window of ${end - start} s at a step of ${request.stepSeconds} s asks for ${points} points, more than the ${MAX_POINTS} that Prometheus gives; raise plan.step`,
    );
  }
  const { resultType, result, warnings } = await ask(
    options,
    "query_range",
    {
      query: renderPromql(template, request),
      start: String(start),
      end: String(end),
      step: String(request.stepSeconds),
    },
    signal,
  );
  if (resultType !== "matrix") throw malformed(options.name, `a result of type ${resultType} where a matrix was due`);
  return { result, warnings };
}

function toRangeAnswer(
  result: unknown,
  warnings: readonly string[],
  { takenUpTo }: SourceRequest,
  options: PrometheusOptions,
): RangeAnswer {
  const items = parseResult(z.array(MatrixItem), result, options);
  const faults = createFaultTally(takenUpTo);
  const series = items.map(({ metric, values }): RawSeries => {
    if (values === undefined)
      throw malformed(options.name, "a series without values; a native histogram is asked for as histogram");
    return { labels: metric, ...toPoints(values, faults, options.name) };
  });
  return { series, faults, warnings };
}

async function queryInstant(
  options: PrometheusOptions,
  request: SourceRequest,
  template: string,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  const { end } = windowOf(request, options.name);
  const { resultType, result, warnings } = await ask(
    options,
    "query",
    { query: renderPromql(template, request), time: String(end) },
    signal,
  );
  const faults = createFaultTally();
  if (resultType === "scalar")
    return { series: [{ labels: {}, ...toPoints([result], faults, options.name) }], faults, warnings };
  if (resultType !== "vector") throw malformed(options.name, `a result of type ${resultType} where a vector was due`);
  const series = parseResult(z.array(VectorItem), result, options).map(({ metric, value }): RawSeries => {
    if (value === undefined)
      throw malformed(options.name, "an element without a value; a native histogram is asked for as histogram");
    return { labels: metric, ...toPoints([value], faults, options.name) };
  });
  return { series, faults, warnings };
}

/** Points are checked by a loop: a schema would build a second copy of a large answer. */
function toPoints(
  points: readonly unknown[],
  faults: FaultTally,
  source: string,
): { at: Float64Array; values: Float64Array } {
  const at = new Float64Array(points.length);
  const values = new Float64Array(points.length);
  let length = 0;
  for (const point of points) {
    if (!Array.isArray(point) || point.length !== 2 || typeof point[0] !== "number")
      throw malformed(source, "a point that is not [time, value]");
    const value = readNumber(point[1]);
    if (typeof value === "number") {
      at[length] = point[0];
      values[length] = value;
      length += 1;
    } else faults.add(value, point[1], point[0]);
  }
  return { at: at.slice(0, length), values: values.slice(0, length) };
}

function toSeries({ series, faults, warnings }: RangeAnswer, request: SourceRequest, source: string): Answer {
  const [first, second] = series;
  if (second !== undefined) {
    throw new TouchstoneError(
      "source_refused",
      `${source} returned ${series.length} series for ${request.version.label}, where one was due; aggregate them in the query, for example with sum(…) or avg(…)`,
    );
  }
  return {
    samples: {
      shape: "series",
      stepSeconds: request.stepSeconds,
      at: first?.at ?? new Float64Array(0),
      values: first?.values ?? new Float64Array(0),
    },
    faults: faults.list,
    warnings,
  };
}

function windowOf({ window, metric }: SourceRequest, source: string): { start: number; end: number } {
  if (window === null)
    throw new TouchstoneError("invalid_query", `metric ${metric.name} asks ${source} without a window`);
  return { start: epochSeconds(window.start), end: epochSeconds(window.end) };
}

function ask(options: PrometheusOptions, route: string, form: Record<string, string>, signal: AbortSignal) {
  return options.persist(async (attemptSignal) => {
    const authorization = await options.authorization();
    const answer = await options.fetchText(
      {
        url: `${options.baseUrl.replace(/\/$/, "")}/api/v1/${route}`,
        method: "POST",
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          accept: "application/json",
          ...(authorization === null ? {} : { authorization }),
        },
        body: new URLSearchParams({ ...form, timeout: `${Math.ceil(options.timeoutMs / 1000)}s` }).toString(),
        timeoutMs: options.timeoutMs,
        maxBytes: options.maxBytes,
      },
      attemptSignal,
    );
    return readEnvelope(answer, options);
  }, signal);
}

function readEnvelope(
  answer: HttpAnswer,
  { name, maxSeries }: PrometheusOptions,
): { resultType: string; result: unknown; warnings: readonly string[] } {
  const refusal = refusalOf(answer, name);
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch (cause) {
    throw (
      refusal ??
      malformed(
        name,
        `${answer.status} and a body that is not JSON (${answer.contentType || "no content type"})`,
        cause,
      )
    );
  }
  const parsed = Envelope.safeParse(body);
  if (!parsed.success)
    throw refusal ?? malformed(name, `${answer.status} and JSON that is no answer of a Prometheus`, parsed.error);
  if (refusal?.code === "source_throttled") throw refusal;
  const { status, error, errorType, data, warnings = [], infos = [] } = parsed.data;
  if (status === "error") {
    throw new TouchstoneError(
      codeOf(errorType, refusal),
      `${name} answered ${answer.status} ${errorType ?? "error"}: ${error ?? "no reason given"}`,
      { retryAt: refusal?.retryAt ?? null },
    );
  }
  if (answer.status >= 400) throw refusal ?? new TouchstoneError("source_refused", `${name} answered ${answer.status}`);
  if (warnings.length > 0)
    throw new TouchstoneError("source_partial", `${name} answered in part: ${warnings.join("; ")}`);
  if (data === undefined) throw malformed(name, "success without data");
  if (Array.isArray(data.result) && data.resultType !== "scalar" && data.result.length > maxSeries) {
    throw new TouchstoneError(
      "source_too_large",
      `${name} returned ${data.result.length} series, more than the ${maxSeries} allowed; aggregate in the query`,
    );
  }
  return { resultType: data.resultType, result: data.result, warnings: infos };
}

/** What an error says that the source itself wrote: of all its types only `unavailable` means that no query can be answered. */
function codeOf(errorType: string | undefined, refusal: TouchstoneError | null): ErrorCode {
  switch (errorType) {
    case "timeout":
      return "source_timeout";
    case "unavailable":
      return "source_unavailable";
    case "execution":
      return "source_refused";
    case "canceled":
      return "source_failed";
    default:
      return refusal === null || refusal.code === "source_refused" ? "source_refused" : "source_failed";
  }
}

/** What the status alone says, also of a proxy in front of the source; null where only the body can tell. */
function refusalOf({ status, retryAt }: HttpAnswer, name: string): TouchstoneError | null {
  const asks = retryAt === null ? "" : ` and asks not to be asked again before ${new Date(retryAt).toISOString()}`;
  if (status === 429) return new TouchstoneError("source_throttled", `${name} answered 429${asks}`, { retryAt });
  // By these a proxy says that nobody is there, and a server that it can answer nobody; any other 5xx is the answer to one query.
  if (status === 408 || (status >= 502 && status <= 504))
    return new TouchstoneError("source_unavailable", `${name} answered ${status}${asks}`, { retryAt });
  if (status >= 500) return new TouchstoneError("source_failed", `${name} answered ${status}${asks}`, { retryAt });
  if (status === 401 || status === 403)
    return new TouchstoneError("source_refused", `${name} answered ${status}: its credentials are not accepted`);
  return null;
}

function parseResult<T>(schema: z.ZodType<T>, result: unknown, { name }: PrometheusOptions): T {
  const parsed = schema.safeParse(result);
  if (!parsed.success) throw malformed(name, "a result of an unexpected form", parsed.error);
  return parsed.data;
}

function malformed(name: string, what: string, cause?: unknown): TouchstoneError {
  return new TouchstoneError("source_malformed", `${name} answered with ${what}`, { cause });
}
