import { createHash } from "node:crypto";

/**
 * JSON with sorted keys and no white space: equal values give equal bytes, so they can be digested and compared.
 *
 * @throws RangeError on a number that JSON would silently turn into null.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (typeof inner === "number" && !Number.isFinite(inner))
      throw new RangeError(`${key} is ${inner}, not a finite number`);
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** `sha256:` and 64 hexadecimal digits of the canonical JSON. */
export function digestOf(value: unknown): string {
  return digestOfText(canonicalJson(value));
}

/** The same of the very bytes. */
export function digestOfText(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
