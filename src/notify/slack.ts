import { severityOf, type RunEvent } from "../model/event.ts";
import { postJson, type Reach } from "./json-post.ts";
import type { Send } from "./target.ts";

export interface SlackOptions extends Reach {
  /** Of an incoming webhook. Read at every attempt. */
  readonly url: () => Promise<string>;
}

/** A message for a channel. Slack knows no ids, so a repeated delivery is a repeated message. */
export const createSlack =
  ({ url, ...reach }: SlackOptions): Send =>
  async (event, _body, signal) =>
    postJson(reach, { url: await url(), body: JSON.stringify({ text: toSlackText(event) }) }, signal);

/** Reasons beyond these are in the report. */
const MAX_REASONS = 5;
/** A line of a message; Slack cuts a whole text at 40,000. */
const MAX_LINE = 500;

/** Severity, what was judged, why, and where to look, in Slack's markup; whatever callers have chosen stays plain text in it. */
export function toSlackText({ type, data }: RunEvent): string {
  const { analysis, baseline, candidates, rollout, override, error } = data;
  const outcome = data.effectiveVerdict ?? data.status;
  const arms = `${baseline.label} → ${candidates.map(({ label }) => label).join(", ")}`;
  const computed = data.verdict ?? data.status;
  const lines = [
    data.summary,
    ...(override === null || type !== "run.overridden"
      ? []
      : [`overridden by ${override.by}: ${override.reason} (computed: ${computed})`]),
    ...(error === null ? [] : [`${error.code}: ${error.detail}`]),
    ...data.reasons.slice(0, MAX_REASONS).map(({ text }) => `• ${text}`),
    ...(data.reasons.length > MAX_REASONS ? [`and ${data.reasons.length - MAX_REASONS} more reasons`] : []),
    ...(rollout === null ? [] : [`rollout ${rollout.namespace}/${rollout.name}@${rollout.revision}`]),
    `run ${data.run}`,
  ].flatMap((line) => (line === null ? [] : [escapeMarkup(line)]));
  return [
    `${SIGN[outcome]} *${outcome}* (${severityOf(data)}) ${escapeMarkup(`${analysis.name}: ${arms}`)}`,
    ...lines,
  ].join("\n");
}

const SIGN: Readonly<Record<NonNullable<RunEvent["data"]["verdict"]> | RunEvent["data"]["status"], string>> = {
  promote: ":large_green_circle:",
  pause: ":large_yellow_circle:",
  rollback: ":red_circle:",
  failed: ":red_circle:",
  cancelled: ":white_circle:",
  done: ":white_circle:",
  queued: ":white_circle:",
  running: ":white_circle:",
};

/** One line in which nothing is a mention, a link or a channel: Slack's own three entities. */
function escapeMarkup(line: string): string {
  const plain = line.replaceAll(/\s+/g, " ");
  const short = plain.length > MAX_LINE ? `${plain.slice(0, MAX_LINE - 1)}…` : plain;
  return short.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
