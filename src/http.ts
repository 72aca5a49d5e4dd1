import { Agent, fetch, type Dispatcher, type RequestInit } from "undici";
import { guardedLookup, isForbidden, refuseLiteral } from "./address.ts";
import { TouchstoneError } from "./errors.ts";

/**
 * `fetch` for sources: one total time budget, one byte cap after decompression, no redirects, and no way to a cloud's metadata service.
 *
 * Only operators write URLs here, and metric sources live on private networks, so private and loopback addresses are allowed.
 * Undici stands in for the built-in fetch because only its Agent can check the very address that is connected to.
 */

export interface HttpRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the first byte sent to the last byte read. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  /** What `Retry-After` asks for, in milliseconds since the epoch; null without a readable one. */
  readonly retryAt: number | null;
  readonly text: string;
}

/** @throws TouchstoneError `source_unavailable`, `source_timeout`, `source_too_large`, `source_malformed` (not UTF-8); or the reason of `signal`. */
export type FetchText = (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>;

export function createFetchText(): FetchText & { close(): Promise<void> } {
  const agent = new Agent({
    connect: { lookup: guardedLookup(isForbidden), timeout: 5000 },
    connections: 16,
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  const fetchText = async (request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> => {
    const url = new URL(request.url);
    refuseLiteral(url, isForbidden);
    const { host } = url;
    const deadline = AbortSignal.timeout(request.timeoutMs);
    const either = AbortSignal.any([signal, deadline]);
    try {
      return await exchange(request, agent, either);
    } catch (error) {
      if (error instanceof TouchstoneError) throw error;
      signal.throwIfAborted();
      if (deadline.aborted)
        throw new TouchstoneError(
          "source_timeout",
          `${host} had not answered in full after ${request.timeoutMs / 1000} s`,
          { cause: error },
        );
      const cause = rootCause(error);
      if (cause instanceof TouchstoneError) throw cause;
      throw new TouchstoneError(
        "source_unavailable",
        `${host} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause: error },
      );
    }
  };
  return Object.assign(fetchText, { close: () => agent.destroy() });
}

async function exchange(request: HttpRequest, dispatcher: Dispatcher, signal: AbortSignal): Promise<HttpAnswer> {
  const init: RequestInit = {
    method: request.method,
    headers: { ...request.headers },
    redirect: "manual",
    dispatcher,
    signal,
  };
  if (request.body !== undefined) init.body = request.body;
  const response = await fetch(request.url, init);
  const { host } = new URL(request.url);
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new TouchstoneError(
      "source_refused",
      `${host} answered ${response.status}, a redirect, which is not followed`,
    );
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (response.body !== null) {
    // Leaving the loop by a throw cancels the stream, so the rest is never read.
    for await (const chunk of response.body) {
      bytes += chunk.byteLength;
      if (bytes > request.maxBytes)
        throw new TouchstoneError("source_too_large", `${host} answered more than ${request.maxBytes} bytes`);
      chunks.push(chunk);
    }
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new TouchstoneError("source_malformed", `${host} answered with bytes that are not UTF-8`, { cause });
  }
  return {
    status: response.status,
    contentType: response.headers.get("content-type") ?? "",
    retryAt: readRetryAfter(response.headers.get("retry-after"), Date.now()),
    text,
  };
}

/** `Retry-After` is a number of seconds or an HTTP date (RFC 9110, 10.2.3). */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header)) return now + Number(header) * 1000;
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(at) ? null : at;
}

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined && !(cause instanceof TouchstoneError))
    cause = cause.cause;
  return cause;
}
