import { Router, type ErrorRequestHandler, type Request } from "express";
import { ERRORS, isTouchstoneError, TouchstoneError } from "../errors.ts";
import { Report } from "../model/run.ts";
import { epochSeconds } from "../model/time.ts";
import type { Store } from "../store/store.ts";
import type { WatchedRun } from "../store/controllers.ts";
import { readText } from "./body.ts";
import { PROJECT } from "./list.ts";
import { onlyMethods } from "./problem.ts";
import { standingOf, whyNotAdvance } from "./watch-standing.ts";

/**
 * As much of Prometheus' query API as Flagger's metric templates need: `vector(1)`, and two series of our own, each of one rollout under one analysis.
 *
 * Where nothing is known the answer is an empty vector, which Flagger counts as a failed check: never a number.
 */
export function createPrometheusRoutes({ store }: { store: Store }): Router {
  const router = Router();
  router
    .route("/api/v1/query")
    .get(async (request, response) => {
      response.json(await answer(store, parseQuery(request.query["query"])));
    })
    .post(async (request, response) => {
      response.json(await answer(store, parseQuery(readForm(request).get("query"))));
    })
    .all(onlyMethods("GET", "POST"));
  router.use(refuseAsPrometheus);
  return router;
}

const SERIES = { touchstone_verdict: verdictOf, touchstone_score: scoreOf } as const;

interface Query {
  /** Null: the probe `vector(1)`. */
  readonly series: keyof typeof SERIES | null;
  readonly labels: Readonly<Record<string, string>>;
}

async function answer(store: Store, { series, labels }: Query): Promise<object> {
  if (series === null) {
    // Flagger probes so whether its queries can be answered.
    await store.ping();
    return toVector([{ metric: {}, value: [Date.now() / 1000, "1"] }]);
  }
  const { namespace = "", name = "", analysis = "" } = labels;
  const [watch] = await store.listWatches(PROJECT, { namespace, name, analysis });
  const value = watch === undefined ? null : SERIES[series](watch);
  if (watch === undefined || value === null) return toVector([]);
  const metric = { __name__: series, namespace, name, analysis, run: watch.stored.run.id };
  // Flagger reads a number that is no string as none.
  return toVector([{ metric, value: [epochSeconds(watch.now), String(value)] }]);
}

function toVector(result: readonly object[]): object {
  return { status: "success", data: { resultType: "vector", result } };
}

/** 1: nothing speaks against the next step. 0: undecided, or a pause. −1: rollback. Null: nothing is known, or nobody looks. */
function verdictOf(watch: WatchedRun): number | null {
  const standing = standingOf(watch);
  switch (standing.kind) {
    case "over":
      return null;
    case "waiting":
      return standing.late ? null : 0;
    case "verdict":
      return standing.verdict === "promote" ? 1 : standing.verdict === "pause" ? 0 : -1;
    case "look":
      if (standing.stale) return null;
      return whyNotAdvance(standing) === null ? 1 : 0;
  }
}

/** The score of the newest look, 0 to 100. */
function scoreOf(watch: WatchedRun): number | null {
  const standing = standingOf(watch);
  if (standing.kind === "over" || standing.kind === "waiting" || (standing.kind === "look" && standing.stale))
    return null;
  const { report } = watch.stored;
  return report === null ? null : Report.parse(JSON.parse(report)).score;
}

const NEEDED = ["namespace", "name", "analysis"] as const;

/** What else Flagger's templates can fill in. It changes nothing, and a misspelt label is none of it. */
const FILLED_IN: ReadonlySet<string> = new Set([
  ...NEEDED,
  "target",
  "service",
  "ingress",
  "route",
  "interval",
  "window",
]);

/** @throws TouchstoneError `invalid_parameter` that says where the query is not understood. */
function parseQuery(text: unknown): Query {
  if (typeof text !== "string" || text.trim() === "") throw refused('invalid parameter "query": it is missing');
  if (/^\s*vector\(\s*1\s*\)\s*$/.test(text)) return { series: null, labels: {} };
  const [, name = "", inside] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*\{(.*)\}\s*$/s.exec(text) ?? [];
  const series = Object.keys(SERIES).find((known) => known === name) as keyof typeof SERIES | undefined;
  if (series === undefined || inside === undefined)
    throw refused(
      `parse error: only vector(1), ${Object.keys(SERIES)
        .map((known) => `${known}{…}`)
        .join(" and ")} are understood`,
    );
  const labels = parseLabels(inside);
  for (const label of NEEDED) if (!labels[label]) throw refused(`parse error: ${series} needs the label ${label}`);
  for (const label of Object.keys(labels))
    if (!FILLED_IN.has(label))
      throw refused(`parse error: ${series} has no label ${label}; it has ${[...FILLED_IN].join(", ")}`);
  return { series, labels };
}

/** `a="b",c="d"`, with the escapes of Go; a comma may follow the last. */
function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text.trim();
  while (rest !== "") {
    const [whole, label = "", operator, value = ""] =
      /^([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*(?:,\s*|$)/.exec(rest) ?? [];
    if (whole === undefined)
      throw refused(`parse error: ${JSON.stringify(rest.slice(0, 40))} is no label with its value`);
    if (operator !== "=") throw refused(`parse error: ${label} is matched by ${operator}, and only = is understood`);
    if (label in labels) throw refused(`parse error: ${label} stands twice`);
    if (/\p{C}/u.test(value)) throw refused(`parse error: ${label} holds control characters`);
    labels[label] = value.replaceAll(/\\(.)/g, "$1");
    rest = rest.slice(whole.length);
  }
  return labels;
}

function readForm(request: Request): URLSearchParams {
  const type = request.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type))
    throw new TouchstoneError(
      "unsupported_media_type",
      `the content type is ${type}; send application/x-www-form-urlencoded`,
    );
  return new URLSearchParams(readText(request));
}

function refused(detail: string): TouchstoneError {
  return new TouchstoneError("invalid_parameter", detail);
}

/** Errors as Prometheus has them. */
const refuseAsPrometheus: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (!isTouchstoneError(error)) return next(error);
  const { status } = ERRORS[error.code];
  const errorType = status < 500 ? "bad_data" : "unavailable";
  response.status(status).json({ status: "error", errorType, error: error.message });
};
