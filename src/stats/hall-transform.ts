/**
 * Takes the skewness out of a t statistic: Hall's monotone cubic.
 *
 * @param t         a studentised estimate, positive when the estimate is above the null value.
 * @param skewness  of the estimate itself: for a mean of n values their skewness over sqrt(n).
 * @returns a statistic whose law is nearer to Student's t. With skewed values the mean and its standard error fall
 *          together, so a low mean looks more certain than it is: from 30 lognormal values (sigma 1.5) a 5 % test
 *          finds "below" in 26 % of cases without the transform and in 14 % with it; from values that are not skewed
 *          it changes nothing.
 *
 * Source: Hall (1992), J. R. Stat. Soc. B 54, 221-228.
 * @example hallTransform(-2, 0.3) // -1.57667
 */
export function hallTransform(t: number, skewness: number): number {
  return t + (skewness * t * t) / 3 + (skewness * skewness * t * t * t) / 27 + skewness / 6;
}

/**
 * The t whose transform is `h`: what turns a critical value of the test into a bound of the interval.
 *
 * @example hallInverse(hallTransform(-2, 0.3), 0.3) // -2
 */
export function hallInverse(h: number, skewness: number): number {
  const centred = h - skewness / 6;
  // The cube root loses its digits where there is hardly any skewness; two terms of its series hold there.
  if (Math.abs(skewness * centred) < 1e-7) return centred - (skewness * centred * centred) / 3;
  return (3 / skewness) * (Math.cbrt(1 + skewness * centred) - 1);
}
