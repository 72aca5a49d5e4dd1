import { severityOf, type RunEvent } from "../model/event.ts";
import { postJson, type Reach } from "./json-post.ts";
import type { Send } from "./target.ts";

export interface GrafanaOptions extends Reach {
  /** Without `/api/annotations`. */
  readonly url: string;
  /** Read at every attempt. */
  readonly token: () => Promise<string>;
  /** The uid of the one dashboard that shows it; null for all that query its tags. */
  readonly dashboard: string | null;
  readonly tags: readonly string[];
  readonly server: string | null;
}

/** An annotation where the run ended. Grafana knows no ids, so a repeated delivery is a repeated annotation. */
export const createGrafana =
  ({ url, token, dashboard, tags, server, ...reach }: GrafanaOptions): Send =>
  async (event, _body, signal) =>
    postJson(
      reach,
      {
        url: `${url.replace(/\/+$/, "")}/api/annotations`,
        headers: { authorization: `Bearer ${await token()}` },
        body: JSON.stringify(toAnnotation(event, { dashboard, tags, server })),
      },
      signal,
    );

/** Source: https://grafana.com/docs/grafana/latest/developers/http_api/annotations/ */
export function toAnnotation(
  { timestamp, data }: RunEvent,
  { dashboard, tags, server }: Pick<GrafanaOptions, "dashboard" | "tags" | "server">,
): Record<string, unknown> {
  const outcome = data.effectiveVerdict ?? data.status;
  const lines = [
    `${data.analysis.name}: ${data.baseline.label} → ${data.candidates.map(({ label }) => label).join(", ")}`,
    data.summary ?? outcome,
  ].map(escapeHtml);
  const link =
    server === null ? [] : [`<a href="${escapeHtml(server.replace(/\/+$/, "") + data.links.report)}">report</a>`];
  return {
    time: Date.parse(timestamp),
    tags: ["touchstone", data.analysis.name, outcome, severityOf(data), ...tags],
    text: [...lines, ...link].join("<br>"),
    ...(dashboard === null ? {} : { dashboardUID: dashboard }),
  };
}

/** Grafana shows the text as HTML; what callers have chosen stays text in it. */
function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
