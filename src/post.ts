import { Agent, request } from "undici";
import {
  guardedLookup,
  isForbidden,
  isNotPublic,
  refuseLiteral,
  type RefusesAddress,
  type Resolve,
} from "./address.ts";

/**
 * A POST to a receiver of notifications: one total time budget, no redirects, nothing read of the answer but its status.
 *
 * A receiver may be anywhere on the internet and may turn hostile, so only public unicast addresses are connected to, unless the operator allows
 * private ones for this receiver. Each attempt opens a new connection, so that its address is checked each time.
 */
export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** From the name's resolution to the last byte read. */
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
}

/** What came of it: an answer, whatever its status, or the reason why there was none. */
export type Posted =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: string | null }
  | { readonly kind: "failed"; readonly reason: string };

/** Rejects only with the reason of `signal`. */
export type Post = (what: PostRequest, signal: AbortSignal) => Promise<Posted>;

/** An answer is read up to here, so that the connection ends in order, and cut off beyond. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** @param resolve  finds the addresses of a name; default as the operating system does. */
export function createPost(resolve?: Resolve): Post & { close(): Promise<void> } {
  const agentFor = (refuses: RefusesAddress) =>
    new Agent({
      connect: { lookup: guardedLookup(refuses, resolve), timeout: 5000 },
      pipelining: 0,
      bodyTimeout: 0,
      headersTimeout: 0,
    });
  const anywhere = { refuses: isForbidden, agent: agentFor(isForbidden) };
  const publicOnly = { refuses: isNotPublic, agent: agentFor(isNotPublic) };

  const post = async (what: PostRequest, signal: AbortSignal): Promise<Posted> => {
    const url = new URL(what.url);
    const { refuses, agent: dispatcher } = what.allowPrivate ? anywhere : publicOnly;
    const deadline = AbortSignal.timeout(what.timeoutMs);
    const either = AbortSignal.any([signal, deadline]);
    try {
      refuseLiteral(url, refuses);
      const { statusCode, headers, body } = await request(url, {
        method: "POST",
        headers: what.headers,
        body: what.body,
        dispatcher,
        signal: either,
      });
      // The status has said it all: an answer that breaks off after it, or is too long, changes nothing.
      await body.dump({ limit: MAX_ANSWER_BYTES, signal: either }).catch(() => undefined);
      const retryAfter = headers["retry-after"];
      return { kind: "answered", status: statusCode, retryAfter: typeof retryAfter === "string" ? retryAfter : null };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted)
        return { kind: "failed", reason: `${url.host} had not answered after ${what.timeoutMs / 1000} s` };
      return { kind: "failed", reason: reasonOf(error) };
    }
  };
  return Object.assign(post, {
    close: async () => {
      await Promise.all([anywhere.agent.destroy(), publicOnly.agent.destroy()]);
    },
  });
}

/** A name with several addresses fails with one error for each, and no words of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
