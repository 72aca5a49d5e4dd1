/**
 * Seeded random numbers: the only chance in Touchstone, handed in by whoever calls.
 *
 * `seeded(42)` gives the same stream on every machine, so a resampled interval is reproducible.
 * Generator: xoshiro128** 1.1 (Blackman & Vigna 2021, ACM TOMS 47, 36), its state filled by SplitMix32.
 * `fixtures/golden/data.py` holds the same generator in Python, so that large golden samples need not be stored.
 */

/** Returns uniform numbers in [0, 1) with 53 random bits. */
export type Random = () => number;

/**
 * A generator of uniform numbers in [0, 1).
 *
 * @param seed    any integer; its lowest 32 bits are used.
 * @param stream  any integer: generators with the same seed and different streams are independent.
 * @throws RangeError when seed or stream is not an integer.
 * @example seeded(42)() // 0.6606157208001621
 */
export function seeded(seed: number, stream = 0): Random {
  if (!Number.isInteger(seed)) throw new RangeError(`seed must be an integer, got ${seed}`);
  if (!Number.isInteger(stream)) throw new RangeError(`stream must be an integer, got ${stream}`);
  const fill = splitMix32((seed ^ Math.imul(stream, 0x9e3779b1)) | 0);
  let a = fill();
  let b = fill();
  let c = fill();
  let d = fill();

  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  return () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
}

/**
 * A standard normal number by Marsaglia's polar method.
 *
 * @example standardNormal(seeded(42)) // 0.31875784963858494
 */
export function standardNormal(random: Random): number {
  for (;;) {
    const u = 2 * random() - 1;
    const v = 2 * random() - 1;
    const s = u * u + v * v;
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s);
  }
}

/** A whole number in [0, n). @throws RangeError when n is not a positive integer. */
export function randomInteger(random: Random, n: number): number {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`n must be a positive integer, got ${n}`);
  return Math.floor(random() * n);
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

function splitMix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
}
