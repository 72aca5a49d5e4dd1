import { describe, expect, test } from "vitest";
import { createLogger, logFieldsOf } from "../src/log.ts";
import { runOf } from "./fixtures.ts";

function capture(level = "info") {
  let text = "";
  return { log: createLogger(level, { write: (line) => void (text += line) }), text: () => text };
}

const ROLLOUT = { namespace: "shop", name: "checkout", revision: "7" };
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("a line about a run carries its id, its rollout and its trace, where it has them", () => {
  expect(logFieldsOf(runOf({ id: "run_1", rollout: ROLLOUT }), TRACE)).toEqual({
    run: "run_1",
    rollout: "shop/checkout@7",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
  });
  expect(logFieldsOf(runOf({ id: "run_1" }), null)).toEqual({ run: "run_1" });
});

describe("text that others wrote", () => {
  // A line break, the escape that begins a terminal's commands, its one-byte form, a direction override, separators of lines, an invisible tag.
  const nasty = 'a\nb\r\u001b[31mred\u009b2J\u007f\u202egnp.exe\u2028x\u2029y\u{E0041}"}{"level":"fatal"';

  test("stays in its line, sends no command to a terminal, and is unchanged when read back", () => {
    const { log, text } = capture();
    log.info({ summary: nasty }, "looked");
    log.child({ run: nasty }).warn({ err: new Error(nasty) }, "the bell did not ring");
    const lines = text().split("\n");
    expect(lines.length).toBe(3);
    expect(lines.pop()).toBe("");
    // Nothing but printable characters, blanks and what letters are made of.
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    const [looked, warned] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(looked).toMatchObject({ level: "info", summary: nasty });
    expect(warned).toMatchObject({ level: "warn", run: nasty, err: { message: nasty } });
  });

  test("is cut, whatever field it is in", () => {
    const { log, text } = capture();
    const long = "x".repeat(1_000_000);
    log.info({ summary: long, err: new Error(long, { cause: new Error(long) }) }, "looked");
    expect(text().length).toBeLessThan(20_000);
    expect(JSON.parse(text())).toMatchObject({ summary: expect.stringMatching(/^x{4000}… \(1000000 characters\)$/) });
  });
});

test("of an error only kind, code, message, causes and stack are told, not what a client hangs on it", () => {
  const { log, text } = capture();
  const error = Object.assign(new Error("WRONGPASS", { cause: new TypeError("the cause") }), {
    code: "ERR_REPLY",
    command: { name: "auth", args: ["hunter2"] },
    input: "redis://user:hunter2@host",
  });
  log.warn({ err: error }, "redis is away");
  expect(text()).not.toContain("hunter2");
  const { err } = JSON.parse(text()) as { err: Record<string, string> };
  expect(Object.keys(err).toSorted()).toEqual(["code", "message", "stack", "type"]);
  expect(err).toMatchObject({ type: "Error", code: "ERR_REPLY", message: "WRONGPASS: the cause" });
  expect(err["stack"]).toMatch(/caused by: TypeError: the cause/);
});

test("what is thrown and is no error is told too", () => {
  const { log, text } = capture();
  log.warn({ err: "a text" }, "odd");
  log.warn({ err: { password: "hunter2" } }, "odder");
  expect(text()).toMatch(/"err":"a text"/);
  expect(text()).not.toContain("hunter2");
});
