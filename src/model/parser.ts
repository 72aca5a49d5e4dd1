import { LRUCache } from "lru-cache";
import type { z } from "zod";

/** Of the texts that were read last, so many characters are remembered with what they stand for. */
const REMEMBERED_CHARACTERS = 1_000_000;

/**
 * Reads JSON texts of one schema. A run is asked for again and again while it is waited for, and neither its snapshot nor the report of a look ever changes: a text that was read lately costs a comparison, where
 * checking it against its schema costs three times as much as reading the JSON.
 *
 * @returns what `schema` makes of a text; the same object for an equal text, so nobody may change it.
 * @throws SyntaxError or ZodError on a text that is not of the schema.
 */
export function createParser<T extends object>(schema: z.ZodType<T>): (text: string) => T {
  const remembered = new LRUCache<string, T>({
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: (_, text) => Math.max(1, text.length),
  });
  return (text) => {
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const read = schema.parse(JSON.parse(text));
    remembered.set(text, read);
    return read;
  };
}
