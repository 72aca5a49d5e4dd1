/** A column whose own part, after the columns before it, is less than this share of it says nothing new. */
const DEPENDENT = 1e-10;

/**
 * Solves a symmetric, positive semidefinite system: least squares by its normal equations.
 *
 * @param matrix  k rows of k numbers, the inner products of k columns. Not modified.
 * @param right   their inner products with the target.
 * @returns k coefficients; 0 for a column that is null or a combination of those before it.
 *
 * Source: LDL' decomposition; Golub & Van Loan, Matrix Computations (2013), 4.1.
 * @example solveSymmetric([Float64Array.of(2, 1), Float64Array.of(1, 2)], Float64Array.of(3, 3))[0] // 1
 */
export function solveSymmetric(matrix: readonly Float64Array[], right: Float64Array): Float64Array {
  const size = matrix.length;
  const lower = matrix.map((row) => Float64Array.from(row));
  const pivots = new Float64Array(size);
  const solution = Float64Array.from(right);
  for (let j = 0; j < size; j++) {
    let pivot = matrix[j][j];
    for (let k = 0; k < j; k++) pivot -= lower[j][k] ** 2 * pivots[k];
    const usable = pivot > DEPENDENT * matrix[j][j];
    pivots[j] = usable ? pivot : 0;
    for (let i = j + 1; i < size; i++) {
      let sum = matrix[i][j];
      for (let k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k] * pivots[k];
      lower[i][j] = usable ? sum / pivot : 0;
    }
  }
  for (let i = 0; i < size; i++) for (let k = 0; k < i; k++) solution[i] -= lower[i][k] * solution[k];
  for (let i = 0; i < size; i++) solution[i] = pivots[i] > 0 ? solution[i] / pivots[i] : 0;
  for (let i = size - 1; i >= 0; i--) {
    // A dropped column has coefficient 0, whatever the later ones are.
    if (pivots[i] === 0) continue;
    for (let k = i + 1; k < size; k++) solution[i] -= lower[k][i] * solution[k];
  }
  return solution;
}
