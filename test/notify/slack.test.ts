import { expect, onTestFinished, test } from "vitest";
import { createSlack, toSlackText } from "../../src/notify/slack.ts";
import { createPost } from "../../src/post.ts";
import { eventOf } from "./event.ts";
import { listenForEvents } from "./receiver.ts";

test("a message says what came of which versions, why, and of which run", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(200).end("ok"));
  const post = createPost();
  onTestFinished(() => post.close());
  const send = createSlack({
    url: () => Promise.resolve(`${url}/services/T/B/x`),
    timeoutMs: 2000,
    allowPrivate: true,
    post,
    now: () => 0,
  });
  const { event, body } = eventOf("run.done", {
    rollout: { namespace: "shop", name: "agent", revision: "7" },
  });
  await send(event, body, new AbortController().signal);
  expect(received[0]?.path).toBe("/services/T/B/x");
  expect(JSON.parse(received[0]?.body ?? "")).toEqual({
    text: `:red_circle: *rollback* (critical) support-agent: v41 → v42
rollback: quality 3.91 vs 4.26 (−0.35)
• quality is worse
rollout shop/agent@7
run run_1`,
  });
});

test("each outcome has its sign, and an override says who and why", () => {
  const first = (...args: Parameters<typeof eventOf>) => toSlackText(eventOf(...args).event).split("\n")[0];
  expect(first("run.done", { effectiveVerdict: "promote" })).toMatch(/^:large_green_circle: \*promote\*/);
  expect(first("run.done", { effectiveVerdict: "pause" })).toMatch(/^:large_yellow_circle: \*pause\*/);
  const failed = { status: "failed", verdict: null, effectiveVerdict: null, summary: null } as const;
  const text = toSlackText(eventOf("run.failed", { ...failed, error: { code: "internal", detail: "a bug" } }).event);
  expect(text).toMatch(/^:red_circle: \*failed\* .*\ninternal: a bug\n/);
  expect(first("run.cancelled", { ...failed, status: "cancelled" })).toMatch(/^:white_circle: \*cancelled\*/);
  const override = {
    verdict: "promote",
    reason: "agreed with Ann",
    by: "bob",
    at: "2026-11-19T08:31:00.000Z",
  } as const;
  expect(toSlackText(eventOf("run.overridden", { override, effectiveVerdict: "promote" }).event)).toMatch(
    /^:large_green_circle: \*promote\* [^]*\noverridden by bob: agreed with Ann \(computed: rollback\)\n/,
  );
});

test.each([
  "<!channel>",
  "<!here|x>",
  "<@U123>",
  "<#C123>",
  "<https://evil.example|report>",
  "&lt;!channel&gt;",
  "a\n<!everyone>",
])("%j in what callers choose stays plain text", (evil) => {
  const { event } = eventOf("run.done", {
    summary: evil,
    baseline: { label: evil },
    candidates: [{ label: evil }],
    reasons: [{ code: "critical_metric_worse", metric: "m", text: evil }],
    error: { code: evil, detail: evil },
    rollout: { namespace: evil, name: evil, revision: evil },
  });
  const text = toSlackText(event);
  expect(text).not.toMatch(/[<>]/);
  expect(text).not.toMatch(/&(?!amp;|lt;|gt;)/);
  expect(text.split("\n").length).toBe(6);
});

test("many or long reasons are cut", () => {
  const reasons = Array.from({ length: 30 }, (_, index) => ({
    code: "critical_metric_worse" as const,
    metric: "m",
    text: `${index} ${"<".repeat(10_000)}`,
  }));
  const text = toSlackText(eventOf("run.done", { reasons }).event);
  expect(text).toContain("\nand 25 more reasons\n");
  expect(text.length).toBeLessThan(15_000);
});
