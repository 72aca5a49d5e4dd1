import { postJson, type Reach } from "./json-post.ts";
import { signedHeaders } from "./signature.ts";
import type { Send } from "./target.ts";

export interface WebhookOptions extends Reach {
  readonly url: string;
  /** Read at every attempt, so that a changed file takes effect. At least one. */
  readonly keys: () => Promise<readonly Buffer[]>;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** Standard Webhooks: the stored bytes, signed with every key, under the id of the event. */
export const createWebhook =
  ({ url, keys, headers, ...reach }: WebhookOptions): Send =>
  async ({ id }, body, signal) =>
    postJson(
      reach,
      { url, headers: { ...(await headers()), ...signedHeaders(await keys(), id, reach.now(), body) }, body },
      signal,
    );
