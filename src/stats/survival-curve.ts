/**
 * How likely is it that a sequence of looks has not crossed its boundary before, given where the statistic stands now?
 *
 * That probability h(z), as a function of the standardised statistic at the latest look, carries all that later looks
 * need: given z now, the statistic of the look before is normal with mean rho z and variance 1 - rho^2, where
 * rho^2 is the ratio of the two informations, whatever the true effect is. So
 *
 *   h_k(z) = integral over y below the boundary of look k - 1 of h_{k-1}(y) N(y; rho z, 1 - rho^2) dy,
 *
 * and the probability to cross at look k is the integral of h_k(z) phi(z - drift) above the boundary of look k. This is
 * the recursion of Armitage, McPherson & Rowe (1969) divided by the density without a boundary, which leaves a function
 * between 0 and 1 that is 1 far below the boundary, keeps relative accuracy in the far tail where early boundaries lie
 * (z above 10), and does not lose its digits when two looks follow each other closely.
 *
 * The curve is stored at Gauss-Legendre nodes of panels that are halved until a polynomial of degree 11 fits.
 */
import { normalCdf, normalQuantileUpper, normalSf } from "./distributions/normal.ts";
import { gaussLegendre } from "./gauss-legendre.ts";

/** Serialisable: plain numbers only. */
export interface SurvivalCurve {
  /** Ends of the panels, rising; below the first the curve is 1. The last is the boundary: above it the looks have ended. */
  readonly edges: readonly number[];
  /** Values at the nodes of each panel, panel by panel. */
  readonly values: readonly number[];
}

const NODES = 12;
const { nodes, weights } = gaussLegendre(NODES);
/** Weights of barycentric interpolation between Legendre nodes (Wang & Xiang 2012). */
const barycentric = nodes.map((x, i) => (i % 2 === 0 ? 1 : -1) * Math.sqrt((1 - x * x) * weights[i]));
/** Rows that turn values at the nodes into the coefficients of the Legendre polynomials of degree 9, 10 and 11. */
const lastCoefficients = [9, 10, 11].map((degree) =>
  nodes.map((x, i) => (degree + 0.5) * weights[i] * legendre(degree, x)),
);

/** Below -8.5 lies 1e-17 of the null distribution: what happens there changes no boundary. */
const LOWEST = -8.5;
/** Relative error of the polynomial that a panel may leave; boundaries are good to 1e-7 with it. */
const FIT = 1e-9;
/** No panel is wider: the normal density must stay within reach of the quadrature, also at z = 12. */
const WIDEST = 1;
/** Far below any boundary the curve is nearly 1. */
const WIDEST_BELOW = 2.5;
const CENTRE = -1;
const NARROWEST = 1e-5;
/** Nine standard deviations to either side hold all but 1e-19 of a normal distribution. */
const REACH = 9;
/** Standard deviations from the mean to where the factors of the normal density neither overflow nor vanish. */
const FACTORED = 30;

/** The curve of a first look: nothing could be crossed before. */
export function firstCurve(boundary: number): SurvivalCurve {
  return { edges: [boundary], values: [] };
}

/**
 * The curve after one more look, from LOWEST up to `top`, without its own boundary (see `cutCurve`).
 *
 * @param correlation  of the statistics at the two looks, sqrt(I_before / I_now), in (0, 1).
 * @param mass         what will be asked of `boundaryOf`: where less than that lies above, the curve need not be exact.
 */
export function nextCurve(before: SurvivalCurve, correlation: number, top: number, mass: number): SurvivalCurve {
  const bridged = toBridge(before, Math.sqrt((1 - correlation) * (1 + correlation)));
  const edges = [LOWEST];
  const values: number[] = [];
  while (edges[edges.length - 1] < top) {
    const low = edges[edges.length - 1];
    const high = Math.min(top, low + (low < CENTRE ? WIDEST_BELOW : WIDEST));
    fitPanel(bridged, correlation, low, high, mass, edges, values);
  }
  return dropOnes({ edges, values });
}

/** The curve with a boundary: what lies above is dropped. */
export function cutCurve(curve: SurvivalCurve, boundary: number): SurvivalCurve {
  const { edges, values } = curve;
  const panel = panelOf(edges, boundary);
  if (panel < 0) return firstCurve(boundary);
  const kept = values.slice(0, panel * NODES);
  const low = edges[panel];
  const half = (boundary - low) / 2;
  for (let i = 0; i < NODES; i++) kept.push(valueAt(curve, panel, low + half * (1 + nodes[i])));
  return { edges: [...edges.slice(0, panel + 1), boundary], values: kept };
}

/**
 * The integral of h(z) phi(z - drift) from `from` to the top of the curve.
 *
 * @param from  at or above the first edge, or anything below: there h is 1.
 */
export function massAbove(curve: SurvivalCurve, from: number, drift = 0): number {
  const { edges } = curve;
  const bottom = edges[0];
  let sum = from < bottom ? normalCdf(bottom - drift) - normalCdf(from - drift) : 0;
  for (let panel = edges.length - 2; panel >= 0 && edges[panel + 1] > from; panel--) {
    sum += panelMass(curve, panel, Math.max(edges[panel], from), drift);
  }
  return sum;
}

/** The boundary above which the given mass lies under no drift; `mass` is less than all there is. */
export function boundaryOf(curve: SurvivalCurve, mass: number): number {
  const { edges } = curve;
  let rest = mass;
  for (let panel = edges.length - 2; panel >= 0; panel--) {
    const all = panelMass(curve, panel, edges[panel], 0);
    if (all >= rest) return withinPanel(curve, panel, rest);
    rest -= all;
  }
  // Below the panels the curve is 1.
  return normalQuantileUpper(rest + normalSf(edges[0]));
}

/** Newton's method on the mass above z, kept inside the panel by bisection. */
function withinPanel(curve: SurvivalCurve, panel: number, mass: number): number {
  let low = curve.edges[panel];
  let high = curve.edges[panel + 1];
  let z = (low + high) / 2;
  for (let i = 0; i < 60; i++) {
    const excess = panelMass(curve, panel, z, 0) - mass;
    if (excess > 0) low = z;
    else high = z;
    const density = valueAt(curve, panel, z) * phi(z);
    const next = z + excess / density;
    const inside = next > low && next < high;
    const change = inside ? next - z : (low + high) / 2 - z;
    z += change;
    if (Math.abs(change) < 1e-13) break;
  }
  return z;
}

/** The integral of h(z) phi(z - drift) over the part of a panel above `from`. */
function panelMass(curve: SurvivalCurve, panel: number, from: number, drift: number): number {
  const { edges, values } = curve;
  const half = (edges[panel + 1] - from) / 2;
  const whole = from === edges[panel];
  let sum = 0;
  for (let i = 0; i < NODES; i++) {
    const z = from + half * (1 + nodes[i]);
    const h = whole ? values[panel * NODES + i] : valueAt(curve, panel, z);
    sum += weights[i] * h * phi(z - drift);
  }
  return sum * half;
}

/** Appends one panel, or its halves where a polynomial does not fit. */
function fitPanel(
  before: Bridge,
  correlation: number,
  low: number,
  high: number,
  mass: number,
  edges: number[],
  values: number[],
): void {
  const half = (high - low) / 2;
  const fitted = Array.from(nodes, (x) => bridge(before, correlation * (low + half * (1 + x))));
  const scale = Math.max(...fitted);
  const rest = Math.max(...lastCoefficients.map((row) => Math.abs(row.reduce((sum, r, i) => sum + r * fitted[i], 0))));
  if (rest <= FIT * Math.max(scale, mass / normalSf(low)) || high - low < NARROWEST) {
    edges.push(high);
    values.push(...fitted);
    return;
  }
  fitPanel(before, correlation, low, low + half, mass, edges, values);
  fitPanel(before, correlation, low + half, high, mass, edges, values);
}

/** What all points of the next look share: the curve before them and the spread between the looks. */
interface Bridge {
  readonly curve: SurvivalCurve;
  readonly sd: number;
  /** The values times their weights and exp(-x² half² / 2 sd²), so that a point needs half as many exponentials as nodes. */
  readonly weighted: Float64Array;
}

function toBridge(curve: SurvivalCurve, sd: number): Bridge {
  const { edges, values } = curve;
  const weighted = new Float64Array(values.length);
  for (let panel = 0; panel < edges.length - 1; panel++) {
    const reach = (edges[panel + 1] - edges[panel]) / 2 / sd;
    for (let i = 0; i < NODES; i++) {
      const at = panel * NODES + i;
      weighted[at] = weights[i] * values[at] * Math.exp(-0.5 * (reach * nodes[i]) ** 2);
    }
  }
  return { curve, sd, weighted };
}

/** The integral of the curve below its boundary under a normal law: h at one point of the next look. */
function bridge({ curve, sd, weighted }: Bridge, mean: number): number {
  const { edges } = curve;
  let sum = normalCdf((edges[0] - mean) / sd);
  const lowest = Math.min(mean, edges[edges.length - 1]) - REACH * sd;
  const highest = mean + REACH * sd;
  for (let panel = 0; panel < edges.length - 1; panel++) {
    const low = edges[panel];
    const high = edges[panel + 1];
    if (high < lowest || low > highest) continue;
    const a = ((low + high) / 2 - mean) / sd;
    if (high - low <= 4 * sd && Math.abs(a) <= FACTORED) {
      // phi(a + b x) = phi(a) exp(-b² x² / 2) exp(-a b x), and the nodes lie symmetrically about 0.
      const b = (high - low) / 2 / sd;
      let part = 0;
      for (let i = 0; i < NODES / 2; i++) {
        const tilt = Math.exp(-a * b * nodes[i]);
        part += weighted[panel * NODES + i] * tilt + weighted[panel * NODES + NODES - 1 - i] / tilt;
      }
      sum += part * b * phi(a);
    } else {
      sum += narrowBridge(curve, panel, mean, sd, Math.max(low, lowest), Math.min(high, highest));
    }
  }
  return sum;
}

/** The part of a bridge that is narrower than a panel: quadrature over pieces of at most 4 standard deviations. */
function narrowBridge(curve: SurvivalCurve, panel: number, mean: number, sd: number, from: number, to: number): number {
  const pieces = Math.ceil((to - from) / (4 * sd));
  const half = (to - from) / pieces / 2;
  let sum = 0;
  for (let piece = 0; piece < pieces; piece++) {
    const low = from + 2 * half * piece;
    for (let i = 0; i < NODES; i++) {
      const y = low + half * (1 + nodes[i]);
      sum += weights[i] * valueAt(curve, panel, y) * phi((y - mean) / sd);
    }
  }
  return (sum * half) / sd;
}

/** The curve at z inside a panel, by barycentric interpolation. */
function valueAt({ edges, values }: SurvivalCurve, panel: number, z: number): number {
  const low = edges[panel];
  const x = (2 * (z - low)) / (edges[panel + 1] - low) - 1;
  let numerator = 0;
  let denominator = 0;
  for (let i = 0; i < NODES; i++) {
    const distance = x - nodes[i];
    const value = values[panel * NODES + i];
    if (distance === 0) return value;
    const weight = barycentric[i] / distance;
    numerator += weight * value;
    denominator += weight;
  }
  return numerator / denominator;
}

/** The panel that holds z, or -1 below all panels. */
function panelOf(edges: readonly number[], z: number): number {
  let panel = edges.length - 2;
  while (panel >= 0 && edges[panel] >= z) panel--;
  return panel;
}

/** Drops the lowest panels on which the curve is 1. */
function dropOnes({ edges, values }: SurvivalCurve): SurvivalCurve {
  let panel = 0;
  const isOne = (): boolean => {
    for (let i = 0; i < NODES; i++) if (Math.abs(values[panel * NODES + i] - 1) > 1e-12) return false;
    return true;
  };
  while (panel < edges.length - 2 && isOne()) panel++;
  return { edges: edges.slice(panel), values: values.slice(panel * NODES) };
}

function phi(z: number): number {
  return 0.3989422804014327 * Math.exp(-0.5 * z * z);
}

function legendre(degree: number, x: number): number {
  let p = 1;
  let previous = 0;
  for (let k = 1; k <= degree; k++) [p, previous] = [((2 * k - 1) * x * p - (k - 1) * previous) / k, p];
  return p;
}
