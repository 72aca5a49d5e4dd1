const FIRST_SECONDS = 5;
const LONGEST_SECONDS = 3600;

/**
 * How long to wait after an attempt that failed: 5 s, doubled with each attempt up to an hour, of which chance takes away up to half, so that what failed
 * together does not come back together.
 *
 * @param attempts  made so far, from 1.
 * @param random  uniform in [0, 1).
 * @returns seconds in (2.5, 3600].
 */
export function backoffSeconds(attempts: number, random: () => number): number {
  const full = Math.min(FIRST_SECONDS * 2 ** (attempts - 1), LONGEST_SECONDS);
  return full * (1 - random() / 2);
}

/** What the receiver asked for counts in place of ours, between a second and an hour: it may be wrong, too. */
export function waitSeconds(attempts: number, retryAfterSeconds: number | null, random: () => number): number {
  if (retryAfterSeconds === null) return backoffSeconds(attempts, random);
  return Math.min(Math.max(retryAfterSeconds, 1), LONGEST_SECONDS);
}
