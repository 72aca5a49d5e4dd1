import fc from "fast-check";
import { expect, test } from "vitest";
import { checkPromql, escapeRegex, escapeString, renderPromql } from "../../src/sources/promql.ts";
import { ask } from "./requests.ts";

const request = ask("{ series: x }");
const render = (template: string, labels?: Record<string, string>) =>
  renderPromql(template, labels === undefined ? request : { ...request, version: { label: "v2", labels } });

test("placeholders are filled inside matchers, and the step outside quotes", () => {
  expect(render("sum(rate(x{version=\"{{ version }}\", team='{{labels.team}}'}[{{ step }}])) # {region}")).toBe(
    `sum(rate(x{version="v2", team='blue'}[60s])) # {region}`,
  );
  expect(render('x{region=~"{{ args.region }}|us"}')).toBe('x{region=~"eu|us"}');
});

test("a value that would end its string stays inside it", () => {
  expect(render('x{team="{{ labels.team }}"}', { team: 'a"} or vector(1) or x{b="\\' })).toBe(
    'x{team="a\\"} or vector(1) or x{b=\\"\\\\"}',
  );
  expect(render("x{team='{{ labels.team }}'}", { team: "it's" })).toBe("x{team='it\\'s'}");
  expect(render('x{team=~"{{ labels.team }}"}', { team: ".*" })).toBe('x{team=~"\\\\.\\\\*"}');
  expect(render('x{team="{{ labels.team }}"}', { team: "a\nb\0" })).toBe('x{team="a\\x0ab\\x00"}');
});

test("whatever the value, the query keeps its strings where they were", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom('"', "'"),
      fc.boolean(),
      (value, quote, regex) => {
        const escaped = escapeString(regex ? escapeRegex(value) : value, quote);
        // A Go string ends at the first quote that no backslash stands before.
        for (let i = 0; i < escaped.length; i++) {
          if (escaped[i] === "\\") i += 1;
          else {
            expect(escaped[i]).not.toBe(quote);
            expect(escaped.charCodeAt(i)).toBeGreaterThanOrEqual(0x20);
          }
        }
        expect(/(?:^|[^\\])(?:\\\\)*\\$/.test(escaped)).toBe(false);
      },
    ),
    { numRuns: 1000, seed: 7 },
  );
});

test.each([
  ["x{{ version }}", "must stand inside a quoted label matcher"],
  ['label_replace(x, "a", "{{ version }}", "b", "c")', "must stand inside a quoted label matcher"],
  ["x{version=`{{ version }}`}", "back quotes"],
  ['x{version="{{ step }}"}', "stands in quotes"],
  ['x{version="{{ versio }}"}', "{{ versio }} is not known"],
  ['x{version="{{ version"}', "never closed"],
  ['x{version="v1}', "never closed"],
  ["x # {{ version }}", "in a comment"],
])("%s is refused", (template, fault) => {
  expect(checkPromql(template)[0]).toContain(fault);
});

test("a quote inside a string and a brace inside a comment are no obstacles", () => {
  expect(checkPromql('x{a="\\"", version="{{ version }}"} # "{')).toEqual([]);
  expect(render('x{a="\\"{", version="{{ version }}"}')).toBe('x{a="\\"{", version="v2"}');
});

test("a label or argument that is not given is named", () => {
  expect(() => render('x{a="{{ labels.zone }}"}')).toThrow(
    "metric m asks for labels.zone, but version v2 has no label zone",
  );
  expect(() => render('x{a="{{ args.zone }}"}')).toThrow("metric m asks for args.zone, which the run does not give");
  expect(() => render('x{a="{{ labels.constructor }}"}')).toThrow(/has no label constructor/);
});
