/** `00-<trace id>-<span id>-<flags>`: which trace something belongs to, and under which span (W3C Trace Context). */
export type TraceParent = string;

const HEADER = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads the header `traceparent`. A header that breaks the rules is as good as none, which is what the standard asks: it must never fail a request.
 *
 * @returns it in version 00, or null.
 * Source: W3C Trace Context, section 3.2; of a later version only the part that version 00 knows is read.
 */
export function readTraceParent(header: string | undefined): TraceParent | null {
  const [, version, traceId, spanId, flags, more] = HEADER.exec(header ?? "") ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return `00-${traceId}-${spanId}-${flags}`;
}

/** Its parts. */
export function partsOfTraceParent(traceParent: TraceParent): { traceId: string; spanId: string; flags: number } {
  const [, traceId = "", spanId = "", flags = ""] = traceParent.split("-");
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}
