// The deep paths of @stdlib that Touchstone uses; the root would cost 1.8 s and 82 MB to load.

declare module "@stdlib/math/base/special/erf/lib/index.js" {
  const erf: (x: number) => number;
  export default erf;
}
declare module "@stdlib/math/base/special/erfc/lib/index.js" {
  const erfc: (x: number) => number;
  export default erfc;
}
declare module "@stdlib/math/base/special/erfcinv/lib/index.js" {
  const erfcinv: (x: number) => number;
  export default erfcinv;
}
declare module "@stdlib/math/base/special/erfcx/lib/index.js" {
  const erfcx: (x: number) => number;
  export default erfcx;
}
declare module "@stdlib/math/base/special/gamma1pm1/lib/index.js" {
  const gamma1pm1: (x: number) => number;
  export default gamma1pm1;
}
declare module "@stdlib/math/base/special/gammaln/lib/index.js" {
  const gammaln: (x: number) => number;
  export default gammaln;
}
declare module "@stdlib/math/base/special/log1pmx/lib/index.js" {
  const log1pmx: (x: number) => number;
  export default log1pmx;
}
