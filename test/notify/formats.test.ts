import { HTTP, type CloudEvent } from "cloudevents";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createAlertmanager, toAlert } from "../../src/notify/alertmanager.ts";
import { createCloudEvents } from "../../src/notify/cloudevents.ts";
import { createGrafana, toAnnotation } from "../../src/notify/grafana.ts";
import { createPostMortem } from "../../src/notify/postmortem.ts";
import { createPost } from "../../src/post.ts";
import { eventOf } from "./event.ts";
import { listenForEvents, type Received } from "./receiver.ts";

/** What each kind of receiver gets, read by its documented contract. */

const SIGNAL = new AbortController().signal;
const ROLLOUT = { namespace: "shop", name: "agent", revision: "7" };

function reach() {
  const post = createPost();
  onTestFinished(() => post.close());
  return { timeoutMs: 2000, allowPrivate: true, post, now: () => 1_000 };
}

async function received(status: number, send: (url: string) => Promise<void>): Promise<Received> {
  const { url, received: all } = await listenForEvents((_one, response) => response.writeHead(status).end());
  await send(url);
  expect(all.length).toBe(1);
  const [one] = all;
  if (one === undefined) throw new Error("nothing was received");
  return one;
}

test("the CloudEvents SDK reads the event, and every attempt is the same", async () => {
  const { event, body } = eventOf("run.done", { rollout: ROLLOUT });
  const options = {
    source: "https://touchstone.example.com",
    headers: () => Promise.resolve({ authorization: "Bearer x" }),
  };
  const send = (url: string) => createCloudEvents({ ...reach(), ...options, url })(event, body, SIGNAL);
  const one = await received(202, send);
  expect(one.headers).toMatchObject({
    "content-type": "application/cloudevents+json; charset=utf-8",
    authorization: "Bearer x",
  });
  const read = HTTP.toEvent({ headers: one.headers, body: one.body }) as CloudEvent<unknown>;
  expect(read.validate()).toBe(true);
  expect(read.toJSON()).toEqual({
    specversion: "1.0",
    id: "evt_1_end",
    source: "https://touchstone.example.com",
    type: "touchstone.run.done",
    subject: "run_1",
    time: "2026-11-19T08:30:00.000Z",
    datacontenttype: "application/json",
    severity: "critical",
    data: event.data,
  });
  expect((await received(202, send)).body).toBe(one.body);
});

/** `postableAlert` of Alertmanager's api/v2/openapi.yaml: labels are required, all values are text, no field besides. */
const POSTABLE_ALERTS = z
  .array(
    z.strictObject({
      labels: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string().min(1)),
      annotations: z.record(z.string(), z.string()).optional(),
      startsAt: z.iso.datetime().optional(),
      endsAt: z.iso.datetime().optional(),
      generatorURL: z.url().optional(),
    }),
  )
  .min(1);

test("Alertmanager gets an alert that its API takes", async () => {
  const { event, body } = eventOf("run.done", { rollout: ROLLOUT });
  const options = {
    lastsSeconds: 3600,
    labels: { team: "agents" },
    server: "https://touchstone.example.com/",
    headers: () => Promise.resolve({}),
  };
  const one = await received(200, (url) =>
    createAlertmanager({ ...reach(), ...options, url: `${url}/am/` })(event, body, SIGNAL),
  );
  expect(one).toMatchObject({ method: "POST", path: "/am/api/v2/alerts" });
  expect(POSTABLE_ALERTS.parse(JSON.parse(one.body))).toEqual([
    {
      labels: {
        alertname: "TouchstoneRun",
        team: "agents",
        severity: "critical",
        outcome: "rollback",
        analysis: "support-agent",
        baseline: "v41",
        candidate: "v42",
        run: "run_1",
        namespace: "shop",
        rollout: "agent",
      },
      annotations: { summary: "rollback: quality 3.91 vs 4.26 (−0.35)", description: "quality is worse" },
      startsAt: "2026-11-19T08:30:00.000Z",
      endsAt: "2026-11-19T09:30:00.000Z",
      generatorURL: "https://touchstone.example.com/v1/runs/run_1/report",
    },
  ]);
});

test("an alert of a run that failed says why, and no label of the operator hides one of ours", () => {
  const { event } = eventOf("run.failed", {
    status: "failed",
    verdict: null,
    effectiveVerdict: null,
    summary: null,
    error: { code: "crash_loop", detail: "three workers took it up" },
  });
  const alert = toAlert(event, { lastsSeconds: 60, labels: { severity: "none" }, server: null });
  expect(POSTABLE_ALERTS.parse([alert])).toMatchObject([
    {
      labels: { severity: "critical", outcome: "failed" },
      annotations: { summary: "failed", description: "crash_loop: three workers took it up" },
    },
  ]);
  expect(alert).not.toHaveProperty("generatorURL");
});

/** What Grafana's annotations API documents of the body. */
const ANNOTATION = z.strictObject({
  dashboardUID: z.string().optional(),
  panelId: z.int().optional(),
  time: z.int().optional(),
  timeEnd: z.int().optional(),
  tags: z.array(z.string()).optional(),
  text: z.string().min(1),
});

test("Grafana gets an annotation that its API takes, at the time of the verdict", async () => {
  const { event, body } = eventOf();
  const options = {
    token: () => Promise.resolve("glsa_x"),
    dashboard: "abc",
    tags: ["agents"],
    server: "https://touchstone.example.com",
  };
  const one = await received(200, (url) => createGrafana({ ...reach(), ...options, url })(event, body, SIGNAL));
  expect(one).toMatchObject({ method: "POST", path: "/api/annotations", headers: { authorization: "Bearer glsa_x" } });
  expect(ANNOTATION.parse(JSON.parse(one.body))).toEqual({
    dashboardUID: "abc",
    time: Date.parse("2026-11-19T08:30:00.000Z"),
    tags: ["touchstone", "support-agent", "rollback", "critical", "agents"],
    text: 'support-agent: v41 → v42<br>rollback: quality 3.91 vs 4.26 (−0.35)<br><a href="https://touchstone.example.com/v1/runs/run_1/report">report</a>',
  });
});

test("what callers choose stays text in an annotation", () => {
  const { event } = eventOf("run.done", { summary: '<img src=x onerror="alert(1)">', candidates: [{ label: "<b>" }] });
  const { text } = ANNOTATION.parse(toAnnotation(event, { dashboard: null, tags: [], server: null }));
  expect(text.replaceAll("<br>", "")).not.toMatch(/[<>"]/);
});

test("a post-mortem of a run that is no longer kept is given up", async () => {
  const { event, body } = eventOf();
  const send = createPostMortem({
    ...reach(),
    url: "http://127.0.0.1:1",
    keys: () => Promise.resolve([]),
    headers: () => Promise.resolve({}),
    bound: { units: 1 },
    readPack: () => Promise.resolve(null),
  });
  await expect(send(event, body, SIGNAL)).rejects.toMatchObject({
    message: "run run_1 is no longer kept",
    final: true,
  });
});

test.each([
  ["rollback", "done", "critical"],
  ["pause", "done", "warning"],
  ["promote", "done", "info"],
  [null, "failed", "critical"],
  [null, "cancelled", "info"],
] as const)("%s of a run that is %s is %s", (effectiveVerdict, status, severity) => {
  const { event } = eventOf("run.done", { effectiveVerdict, status });
  expect(toAlert(event, { lastsSeconds: 1, labels: {}, server: null })).toMatchObject({ labels: { severity } });
});
