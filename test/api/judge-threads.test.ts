import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { createJudgeThreads } from "../../src/api/judge-threads.ts";

/** Speaks the protocol of judge-thread.ts, and does what the body says. */
const THREAD = `
const { parentPort, threadId } = require("node:worker_threads");
parentPort.on("message", (body) => {
  const text = Buffer.from(body).toString();
  if (text === "die") process.exit(3);
  if (text === "throw") throw new Error("a bug");
  if (text === "hang") for (;;);
  parentPort.postMessage({ status: 200, body: text + " by " + threadId });
});`;

function start(options: Partial<Parameters<typeof createJudgeThreads>[1]> = {}) {
  let started = 0;
  const threads = createJudgeThreads(
    () => {
      started += 1;
      return new Worker(THREAD, { eval: true });
    },
    { size: 1, mostWaiting: 4, timeoutMs: 20_000, ...options },
  );
  onTestFinished(() => threads.close());
  const judge = async (text: string) => (await threads.judge(Buffer.from(text))).body;
  return { judge, started: () => started };
}

test("a thread starts with the first request and judges one after the other", async () => {
  const { judge, started } = start();
  expect(started()).toBe(0);
  const answers = await Promise.all(["a", "b", "c"].map(judge));
  expect(answers.map((answer) => answer.split(" by ")[0])).toEqual(["a", "b", "c"]);
  expect(new Set(answers.map((answer) => answer.split(" by ")[1])).size).toBe(1);
  expect(started()).toBe(1);
});

test("as many judge at once as there are threads", async () => {
  const { judge, started } = start({ size: 2, timeoutMs: 500 });
  const [hung, other] = await Promise.allSettled([judge("hang"), judge("a")]);
  expect(hung).toMatchObject({
    status: "rejected",
    reason: { message: "the metric sets could not be judged in 0.5 s" },
  });
  expect(other.status).toBe("fulfilled");
  expect(started()).toBe(2);
});

test("a thread that dies or throws fails its request alone, and another takes its place", async () => {
  const { judge, started } = start();
  const fates = await Promise.allSettled(["die", "a", "throw", "b"].map(judge));
  expect(fates.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
  expect(started()).toBe(3);
});

test("a request that takes too long gives its place to the next, and whoever would wait too long is refused", async () => {
  const { judge } = start({ timeoutMs: 300, mostWaiting: 1 });
  const [hung, waiting, refused] = ["hang", "a", "b"].map(judge);
  await expect(refused).rejects.toMatchObject({ code: "overloaded" });
  await expect(hung).rejects.toMatchObject({ code: "overloaded" });
  expect(await waiting).toMatch(/^a/);
});
