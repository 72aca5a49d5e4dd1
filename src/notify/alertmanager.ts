import { severityOf, type RunEvent } from "../model/event.ts";
import { epochSeconds, toInstant } from "../model/time.ts";
import { postJson, type Reach } from "./json-post.ts";
import type { Send } from "./target.ts";

export interface AlertmanagerOptions extends Reach {
  /** Without `/api/v2/alerts`. */
  readonly url: string;
  readonly lastsSeconds: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Where people reach this server; null leaves links out. */
  readonly server: string | null;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** An alert of Alertmanager's API v2. A repeated delivery has the same labels, so it is the same alert. */
export const createAlertmanager =
  ({ url, lastsSeconds, labels, server, headers, ...reach }: AlertmanagerOptions): Send =>
  async (event, _body, signal) =>
    postJson(
      reach,
      {
        url: `${url.replace(/\/+$/, "")}/api/v2/alerts`,
        headers: await headers(),
        body: JSON.stringify([toAlert(event, { lastsSeconds, labels, server })]),
      },
      signal,
    );

/** Source: `postableAlert` of https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml */
export function toAlert(
  { timestamp, data }: RunEvent,
  { lastsSeconds, labels, server }: Pick<AlertmanagerOptions, "lastsSeconds" | "labels" | "server">,
): Record<string, unknown> {
  const { rollout, reasons, error } = data;
  const why = error === null ? reasons.map(({ text }) => text) : [`${error.code}: ${error.detail}`];
  return {
    labels: {
      ...labels,
      alertname: "TouchstoneRun",
      severity: severityOf(data),
      outcome: data.effectiveVerdict ?? data.status,
      analysis: data.analysis.name,
      baseline: data.baseline.label,
      candidate: data.candidates.map(({ label }) => label).join(","),
      run: data.run,
      ...(rollout === null ? {} : { namespace: rollout.namespace, rollout: rollout.name }),
    },
    annotations: { summary: data.summary ?? data.status, description: why.join("\n") },
    startsAt: timestamp,
    endsAt: toInstant(epochSeconds(timestamp) + lastsSeconds),
    ...(server === null ? {} : { generatorURL: server.replace(/\/+$/, "") + data.links.report }),
  };
}
