import { ENGINE } from "../model/engine.ts";
import type { Post } from "../post.ts";
import { requireTaken } from "./answer.ts";
import { sign } from "./signature.ts";
import type { Send } from "./target.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Read at every attempt, so that a changed file takes effect. At least one. */
  readonly keys: () => Promise<readonly Buffer[]>;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
  readonly post: Post;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** Standard Webhooks: the stored bytes, signed with every key, under the id of the event. */
export const createWebhook =
  ({ url, keys, headers, timeoutMs, allowPrivate, post, now }: WebhookOptions): Send =>
  async ({ id }, body, signal) => {
    const timestamp = Math.floor(now());
    const answer = await post(
      {
        url,
        headers: {
          ...(await headers()),
          "content-type": "application/json",
          "user-agent": ENGINE.replace(" ", "/"),
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
          "webhook-signature": sign(await keys(), id, timestamp, body),
        },
        body,
        timeoutMs,
        allowPrivate,
      },
      signal,
    );
    requireTaken(answer, now());
  };
