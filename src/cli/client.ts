import { ERRORS, TouchstoneError, type ErrorCode, type Issue } from "../errors.ts";
import { AuditHead, AuditRecord } from "../model/audit.ts";
import {
  EvidencePage,
  Report,
  RunListItem,
  RunView,
  type OverrideRequest,
  type StartRunRequest,
} from "../model/run.ts";
import { RolloutView } from "../model/rollout.ts";
import { ScheduleListItem, ScheduleView, type Schedule } from "../model/schedule.ts";
import { z } from "zod";

/** Touchstone's API as the command line uses it. */
export interface Client {
  startRun(request: StartRunRequest, idempotencyKey: string | null, signal: AbortSignal): Promise<RunView>;
  /** Holds the question open on the server for `waitSeconds`, so that an answer comes as soon as there is one. */
  readRun(id: string, waitSeconds: number, signal: AbortSignal): Promise<RunView>;
  listRuns(
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ items: RunListItem[]; nextCursor: string | null }>;
  /** @param place  `namespace/name`, with `@revision` where it is not the newest. */
  readRollout(place: string, analysis: string | null, signal: AbortSignal): Promise<RolloutView>;
  readReport(id: string, signal: AbortSignal): Promise<Report>;
  cancelRun(id: string, signal: AbortSignal): Promise<RunView>;
  overrideRun(id: string, request: OverrideRequest, signal: AbortSignal): Promise<RunView>;
  readAudit(cursor: string | null, signal: AbortSignal): Promise<z.infer<typeof AuditPage>>;
  /** All of them, page by page. */
  listSchedules(signal: AbortSignal): Promise<ScheduleListItem[]>;
  readSchedule(name: string, signal: AbortSignal): Promise<ScheduleView>;
  putSchedule(schedule: Schedule, idempotencyKey: string | null, signal: AbortSignal): Promise<ScheduleView>;
  deleteSchedule(name: string, signal: AbortSignal): Promise<void>;
  /** The very bytes. */
  readReportText(id: string, signal: AbortSignal): Promise<string>;
  /** All looks of a run, with what each was given. */
  readEvidence(id: string, signal: AbortSignal): Promise<Pick<EvidencePage, "run" | "items">>;
}

const AuditPage = z.object({ items: z.array(AuditRecord), nextCursor: z.string().nullable(), head: AuditHead });

const Problem = z.object({
  code: z.string(),
  detail: z.string(),
  issues: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

/** @param baseUrl  of the server, `TOUCHSTONE_URL`. */
export function createClient(baseUrl: string, token: string | null): Client {
  const askText = async (path: string, signal: AbortSignal, init: RequestInit = {}): Promise<string> => {
    const headers = {
      accept: "application/json",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(init.headers as Record<string, string> | undefined),
    };
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, baseUrl), { ...init, headers, signal });
      text = await response.text();
    } catch (cause) {
      signal.throwIfAborted();
      const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
      throw new TouchstoneError("server_unavailable", `${baseUrl} cannot be reached: ${reason}`, { cause });
    }
    if (!response.ok) throw toError(toJson(text, baseUrl), response.status, baseUrl);
    return text;
  };

  const ask = async <T>(
    schema: z.ZodType<T>,
    path: string,
    signal: AbortSignal,
    init: RequestInit = {},
  ): Promise<T> => {
    const text = await askText(path, signal, init);
    // A deletion answers with nothing.
    const parsed = schema.safeParse(text === "" ? null : toJson(text, baseUrl));
    if (!parsed.success)
      throw new TouchstoneError("server_unavailable", `${baseUrl} did not answer as this version of Touchstone does`, {
        cause: parsed.error,
      });
    return parsed.data;
  };

  return {
    startRun: (request, key, signal) => ask(RunView, "/v1/runs", signal, writing("POST", request, key)),
    readRun: (id, waitSeconds, signal) =>
      ask(RunView, `/v1/runs/${encodeURIComponent(id)}${waitSeconds > 0 ? `?wait=${waitSeconds}s` : ""}`, signal),
    listRuns: (parameters, signal) =>
      ask(
        z.object({ items: z.array(RunListItem), nextCursor: z.string().nullable() }),
        `/v1/runs?${new URLSearchParams(parameters).toString()}`,
        signal,
      ),
    readRollout: (place, analysis, signal) => ask(RolloutView, rolloutPath(place, analysis), signal),
    readReport: (id, signal) => ask(Report, `/v1/runs/${encodeURIComponent(id)}/report`, signal),
    readReportText: (id, signal) => askText(`/v1/runs/${encodeURIComponent(id)}/report`, signal),
    async readEvidence(id, signal) {
      const items: EvidencePage["items"] = [];
      for (let cursor: string | null = null; ;) {
        const query: string = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
        const page = await ask(EvidencePage, `/v1/runs/${encodeURIComponent(id)}/evidence${query}`, signal);
        items.push(...page.items);
        cursor = page.nextCursor;
        if (cursor === null) return { run: page.run, items };
      }
    },
    cancelRun: (id, signal) => ask(RunView, `/v1/runs/${encodeURIComponent(id)}/cancel`, signal, { method: "POST" }),
    overrideRun: (id, request, signal) =>
      ask(RunView, `/v1/runs/${encodeURIComponent(id)}/override`, signal, writing("POST", request, null)),
    readAudit: (cursor, signal) =>
      ask(AuditPage, `/v1/audit?limit=200${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`, signal),
    async listSchedules(signal) {
      const schedules: ScheduleListItem[] = [];
      const page = z.object({ items: z.array(ScheduleListItem), nextCursor: z.string().nullable() });
      for (let cursor: string | null = ""; cursor !== null;) {
        const after: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const listed: z.infer<typeof page> = await ask(page, `/v1/schedules?limit=200${after}`, signal);
        schedules.push(...listed.items);
        cursor = listed.nextCursor;
      }
      return schedules;
    },
    readSchedule: (name, signal) => ask(ScheduleView, `/v1/schedules/${encodeURIComponent(name)}`, signal),
    putSchedule: (schedule, key, signal) =>
      ask(ScheduleView, `/v1/schedules/${schedule.name}`, signal, writing("PUT", schedule, key)),
    async deleteSchedule(name, signal) {
      await ask(z.null(), `/v1/schedules/${encodeURIComponent(name)}`, signal, { method: "DELETE" });
    },
  };
}

/** @throws TouchstoneError `invalid_request` when the place is not written as namespace/name[@revision]. */
function rolloutPath(place: string, analysis: string | null): string {
  const match = /^([^/]+)\/([^@]+)(?:@(.+))?$/.exec(place);
  if (match === null)
    throw new TouchstoneError(
      "invalid_request",
      `${place} is not written as namespace/name or namespace/name@revision`,
    );
  const parts = match.slice(1).filter((part) => part !== undefined);
  const query = analysis === null ? "" : `?analysis=${encodeURIComponent(analysis)}`;
  return `/v1/rollouts/${parts.map(encodeURIComponent).join("/")}${query}`;
}

function writing(method: string, body: unknown, idempotencyKey: string | null): RequestInit {
  return {
    method,
    body: JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      ...(idempotencyKey === null ? {} : { "idempotency-key": idempotencyKey }),
    },
  };
}

function toJson(text: string, baseUrl: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TouchstoneError(
      "server_unavailable",
      `${baseUrl} answered with something that is not JSON; is it Touchstone?`,
      { cause },
    );
  }
}

function toError(body: unknown, status: number, baseUrl: string): TouchstoneError {
  const problem = Problem.safeParse(body);
  if (!problem.success) return new TouchstoneError("server_unavailable", `${baseUrl} answered ${status}`);
  const { code, detail, issues = [] } = problem.data;
  const known =
    (Object.keys(ERRORS) as ErrorCode[]).find((one) => one === code) ??
    (status >= 500 ? "server_unavailable" : "invalid_request");
  return new TouchstoneError(known, detail, { issues: issues satisfies Issue[] });
}
