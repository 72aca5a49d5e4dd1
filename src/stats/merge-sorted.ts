/**
 * Two ascending samples as one.
 *
 * @param a, b  finite numbers in ascending order; neither is modified, and an empty one gives back the other itself.
 *
 * O(n + m): what a look adds is sorted alone and merged into what is kept, which costs far less than sorting all again.
 * @example mergeSorted(Float64Array.of(1, 3), Float64Array.of(2)) // 1, 2, 3
 */
export function mergeSorted(a: Float64Array, b: Float64Array): Float64Array {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const merged = new Float64Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let place = 0; place < merged.length; place++) {
    merged[place] = j >= b.length || (i < a.length && a[i] <= b[j]) ? a[i++] : b[j++];
  }
  return merged;
}
