import { ENGINE } from "../model/engine.ts";
import type { Post } from "../post.ts";
import { requireTaken } from "./answer.ts";

/** What every receiver over HTTP needs to be reached. */
export interface Reach {
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
  readonly post: Post;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** Posts a JSON text. @throws NotDelivered unless the receiver took it. */
export async function postJson(
  { timeoutMs, allowPrivate, post, now }: Reach,
  {
    url,
    headers = {},
    body,
    contentType = "application/json",
  }: { url: string; headers?: Readonly<Record<string, string>>; body: string; contentType?: string },
  signal: AbortSignal,
): Promise<void> {
  const own = { "content-type": contentType, "user-agent": ENGINE.replace(" ", "/") };
  requireTaken(await post({ url, headers: { ...headers, ...own }, body, timeoutMs, allowPrivate }, signal), now());
}
