import { expect, test } from "vitest";
import { bindSql } from "../../src/sources/sql-parameters.ts";

test("named parameters become positions, the same name the same position", () => {
  expect(
    bindSql(
      "select v from t where a = :version and at >= :start and at < :end and b <> :version and c = :labels.team and d = :args.n",
    ),
  ).toEqual({
    text: "select v from t where a = $1 and at >= $2 and at < $3 and b <> $1 and c = $4 and d = $5",
    parameters: [
      { kind: "version" },
      { kind: "start" },
      { kind: "end" },
      { kind: "labels", name: "team" },
      { kind: "args", name: "n" },
    ],
  });
});

test.each([
  "select ':version', \":start\", $$ :end $$, $tag$ :version $tag$, 1::int, a[1:2] -- :version\n, /* :end /* :start */ */ 2",
  "select E'it\\':version', 'it'':version'",
  "select 'a' || 'b' -- :version",
])("%j holds no parameter", (sql) => {
  expect(bindSql(sql)).toEqual({ text: sql, parameters: [] });
});

test("a cast behind a parameter is a cast", () => {
  expect(bindSql("select :args.n::int").text).toBe("select $1::int");
});

test.each([
  ["select :user", "asks for :user"],
  ["select $1", "uses $1"],
  ["select 'open", "never closed"],
  ["select /* open", "never closed"],
  ["select $$ open", "never closed"],
  ["select :step", "asks for :step"],
])("%j is refused", (sql, fault) => {
  expect(() => bindSql(sql)).toThrow(fault);
});
