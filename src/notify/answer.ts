import type { Posted } from "../post.ts";
import { NotDelivered } from "./target.ts";

/**
 * What an answer over HTTP means: 2xx took the event, 410 never will, anything else may next time.
 *
 * @param now  seconds since the epoch, for a Retry-After that is a date.
 * @throws NotDelivered unless the event was taken.
 */
export function requireTaken(posted: Posted, now: number): void {
  if (posted.kind === "failed") throw new NotDelivered(posted.reason);
  const { status, retryAfter } = posted;
  if (status >= 200 && status < 300) return;
  if (status === 410) throw new NotDelivered("answered 410: the receiver is gone", { final: true });
  const asked = (status === 429 || status === 503) && retryAfter !== null;
  throw new NotDelivered(
    `answered ${status}${status >= 300 && status < 400 ? ", a redirect, which is not followed" : ""}`,
    {
      retryAfterSeconds: asked ? secondsOf(retryAfter, now) : null,
    },
  );
}

/** RFC 9110, 10.2.3: whole seconds, or a date. Null for anything else. */
function secondsOf(retryAfter: string, now: number): number | null {
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
  const at = Date.parse(retryAfter) / 1000;
  return Number.isFinite(at) ? Math.max(0, at - now) : null;
}
