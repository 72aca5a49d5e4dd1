import { expect, test } from "vitest";
import { partsOfTraceParent, readTraceParent } from "../../src/model/trace-parent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

// The headers are those of W3C Trace Context, sections 3.2 and 4.3.
test("a valid header is read, also of a later version with more in it", () => {
  expect(readTraceParent(`00-${TRACE}-${SPAN}-01`)).toBe(`00-${TRACE}-${SPAN}-01`);
  expect(readTraceParent(`00-${TRACE}-${SPAN}-00`)).toBe(`00-${TRACE}-${SPAN}-00`);
  expect(readTraceParent(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`)).toBe(`00-${TRACE}-${SPAN}-01`);
  expect(partsOfTraceParent(`00-${TRACE}-${SPAN}-03`)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 3 });
});

test.each([
  ["none", undefined],
  ["an empty one", ""],
  ["the forbidden version", `ff-${TRACE}-${SPAN}-01`],
  ["more than version 00 has", `00-${TRACE}-${SPAN}-01-more`],
  ["a later version that runs on without a dash", `cc-${TRACE}-${SPAN}-01.more`],
  ["capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["no trace", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["no span", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["a short trace", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["a line break", `00-${TRACE}-${SPAN}-01\n`],
  ["two headers in one", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
])("%s is as good as none", (_, header) => {
  expect(readTraceParent(header)).toBe(null);
});
