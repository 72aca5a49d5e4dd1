import { expect, test } from "vitest";
import { z } from "zod";
import { createParser } from "../../src/model/parser.ts";

const parse = createParser(z.object({ a: z.number() }));

test("an equal text gives what it gave before, another text something else", () => {
  const first = parse('{"a":1}');
  expect(first).toEqual({ a: 1 });
  expect(parse('{"a":1}')).toBe(first);
  expect(parse('{"a": 1}')).not.toBe(first);
  expect(parse('{"a":2}')).toEqual({ a: 2 });
});

test("a text that is not of the schema is refused every time", () => {
  for (const _ of [1, 2]) {
    expect(() => parse('{"a":"x"}')).toThrow(z.ZodError);
    expect(() => parse("{")).toThrow(SyntaxError);
  }
});

test("what is remembered has a bound, and a text beyond it is read all the same", () => {
  const texts = createParser(z.object({ a: z.string() }));
  const long = (letter: string) => JSON.stringify({ a: letter.repeat(1_500_000) });
  const first = texts(long("x"));
  texts(long("y"));
  texts(long("z"));
  expect(texts(long("x"))).not.toBe(first);
  expect(texts(JSON.stringify({ a: "x".repeat(5_000_000) })).a.length).toBe(5_000_000);
});
