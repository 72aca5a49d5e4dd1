import { canonicalJson } from "../model/canonical.ts";
import { severityOf, type RunEvent } from "../model/event.ts";
import { postJson, type Reach } from "./json-post.ts";
import type { Send } from "./target.ts";

export interface CloudEventsOptions extends Reach {
  readonly url: string;
  readonly source: string;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** CloudEvents 1.0 in structured mode: one JSON document with the event inside. */
export const createCloudEvents =
  ({ url, source, headers, ...reach }: CloudEventsOptions): Send =>
  async (event, _body, signal) =>
    postJson(
      reach,
      {
        url,
        headers: await headers(),
        contentType: "application/cloudevents+json; charset=utf-8",
        body: canonicalJson(toCloudEvent(event, source)),
      },
      signal,
    );

/**
 * The event as CloudEvents has it: `source` and `id` together name it, the run is its subject, and the severity is an extension.
 *
 * Source: CloudEvents 1.0.2, https://github.com/cloudevents/spec
 */
export function toCloudEvent({ id, type, timestamp, data }: RunEvent, source: string): Record<string, unknown> {
  return {
    specversion: "1.0",
    id,
    source,
    type: `touchstone.${type}`,
    subject: data.run,
    time: timestamp,
    datacontenttype: "application/json",
    severity: severityOf(data),
    data,
  };
}
