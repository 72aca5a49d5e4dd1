import { TouchstoneError } from "../errors.ts";
import type { Listed, Page } from "./listed.ts";

/** One page of rows of which one more than the limit was asked for. */
export function toPage<Row, T>(
  rows: readonly Row[],
  { limit }: Page,
  cursorOf: (row: Row) => string,
  convert: (row: Row) => T,
): Listed<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(convert), nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

/** @throws TouchstoneError `invalid_parameter` when the cursor is not a number that a list gave. */
export function readCursor(cursor: string | null, fallback: number): number {
  if (cursor === null) return fallback;
  if (!/^\d{1,15}$/.test(cursor))
    throw new TouchstoneError("invalid_parameter", "cursor is not one that a list gave", {
      issues: [{ pointer: "/cursor", detail: "is not one that a list gave" }],
    });
  return Number(cursor);
}
