import type { UnitsState } from "../model/look-state.ts";

/**
 * A sample of unit identities that is small however many units come: the hashes whose lowest bits are zero, more bits the more units there are. Both arms keep
 * the same units by the same rule, so that a unit that was in both is found in both samples.
 */
type Marks = NonNullable<UnitsState["marks"]>;

/** Hashes kept at most. */
const MOST_MARKS = 2048;

export const NO_MARKS: Marks = { shift: 0, hashes: new Float64Array(0) };

export function addMarks(marks: Marks, names: Iterable<string>): Marks {
  let { shift } = marks;
  const kept = new Set<number>(marks.hashes);
  for (const name of names) {
    const hash = hashOf(name);
    if (hash % 2 ** shift === 0) kept.add(hash);
    while (kept.size > MOST_MARKS) {
      shift += 1;
      for (const one of kept) if (one % 2 ** shift !== 0) kept.delete(one);
    }
  }
  return { shift, hashes: Float64Array.from(kept).sort() };
}

/** How many of the sampled units were in both arms, and how many there are in the smaller arm's sample. */
export function crossings(a: Marks, b: Marks): { readonly both: number; readonly of: number } {
  const shift = Math.max(a.shift, b.shift);
  const coarse = ({ hashes }: Marks) => new Set(hashes.filter((hash) => hash % 2 ** shift === 0));
  const [left, right] = [coarse(a), coarse(b)];
  let both = 0;
  for (const hash of left) if (right.has(hash)) both += 1;
  return { both, of: Math.min(left.size, right.size) };
}

/** 53 bits of two FNV-1a hashes (Fowler, Noll & Vo), as a whole number. */
function hashOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

/** 32 bits of it: of 20,000 remembered units one in 200,000 newcomers is taken for an old one. */
export function shortHashOf(text: string): number {
  return hashOf(text) % 2 ** 32;
}
