import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { NotDelivered } from "../../src/notify/target.ts";
import { readKey, sign } from "../../src/notify/signature.ts";
import { createWebhook, type WebhookOptions } from "../../src/notify/webhook.ts";
import { createPost, type Posted } from "../../src/post.ts";
import { listenForEvents } from "./receiver.ts";
import { eventOf } from "./event.ts";

const SIGNAL = new AbortController().signal;
const secretOf = (fill: number): string => `whsec_${Buffer.alloc(32, fill).toString("base64")}`;

function webhook(url: string, options: Partial<WebhookOptions> = {}) {
  const post = createPost();
  onTestFinished(() => post.close());
  return createWebhook({
    url,
    keys: () => Promise.resolve([readKey(secretOf(1))]),
    headers: () => Promise.resolve({}),
    timeoutMs: 2000,
    allowPrivate: true,
    post,
    now: () => Date.now() / 1000,
    ...options,
  });
}

test("a signature is that of the specification's example", () => {
  // https://github.com/standard-webhooks/standard-webhooks, the vector of the reference libraries' own tests.
  const key = readKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  expect(sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')).toBe(
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  );
});

test("a secret is whsec_ and a key of 24 to 64 bytes in base64, and is never shown", () => {
  const bytes = (n: number) => `whsec_${Buffer.alloc(n, 7).toString("base64")}`;
  for (const n of [24, 32, 64]) expect(readKey(bytes(n)).length).toBe(n);
  for (const n of [23, 65]) expect(() => readKey(bytes(n))).toThrow(/24 to 64/);
  for (const bad of ["", "whsec_", "hunter2-hunter2-hunter2-hunter2", "whsec_hunter2 hunter2!", "WHSEC_AAAA"]) {
    expect(() => readKey(bad)).toThrow(RangeError);
    expect(() => readKey(bad)).not.toThrow(/hunter2/);
  }
});

test("the reference library takes what is sent: the stored bytes, under the id of the event, signed", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(200).end("ok"));
  const { event, body } = eventOf("run.done", { summary: "−0.35 “quoted” 漢字 \u{1F534}" });
  const send = webhook(`${url}/hook?x=1`, { headers: () => Promise.resolve({ authorization: "Bearer t" }) });
  await send(event, body, SIGNAL);
  const [got] = received;
  expect(got).toMatchObject({ method: "POST", path: "/hook?x=1", body });
  expect(got?.headers).toMatchObject({
    "content-type": "application/json",
    "webhook-id": "evt_1_end",
    authorization: "Bearer t",
    "user-agent": expect.stringMatching(/^touchstone\/\d/),
  });
  const headers = got?.headers ?? {};
  expect(new Webhook(secretOf(1)).verify(got?.body ?? "", headers)).toEqual(event);
  expect(() => new Webhook(secretOf(2)).verify(got?.body ?? "", headers)).toThrow(/No matching signature/);
  expect(() => new Webhook(secretOf(1)).verify(`${got?.body} `, headers)).toThrow(/No matching signature/);
});

test("each attempt has its own time, and while a secret is replaced both receivers can verify", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(200).end());
  let now = Date.now() / 1000;
  const keys = [readKey(secretOf(1)), readKey(secretOf(2))];
  const send = webhook(url, { now: () => now, keys: () => Promise.resolve(keys) });
  const { event, body } = eventOf();
  await send(event, body, SIGNAL);
  now += 60;
  await send(event, body, SIGNAL);
  const times = received.map(({ headers }) => Number(headers["webhook-timestamp"]));
  expect(times).toEqual([Math.floor(now - 60), Math.floor(now)]);
  for (const { body: got, headers } of received) {
    for (const secret of [1, 2].map(secretOf)) expect(new Webhook(secret).verify(got, headers)).toEqual(event);
  }
});

test.each<[Posted, object | null]>([
  [{ kind: "answered", status: 200, retryAfter: null }, null],
  [{ kind: "answered", status: 299, retryAfter: null }, null],
  [
    { kind: "answered", status: 410, retryAfter: null },
    { final: true, message: "answered 410: the receiver is gone" },
  ],
  [
    { kind: "answered", status: 429, retryAfter: "120" },
    { final: false, retryAfterSeconds: 120 },
  ],
  [
    { kind: "answered", status: 503, retryAfter: "Thu, 19 Nov 2026 08:31:00 GMT" },
    { final: false, retryAfterSeconds: 60 },
  ],
  [{ kind: "answered", status: 503, retryAfter: "Thu, 19 Nov 2026 08:29:00 GMT" }, { retryAfterSeconds: 0 }],
  [{ kind: "answered", status: 503, retryAfter: "soon" }, { retryAfterSeconds: null }],
  [
    { kind: "answered", status: 500, retryAfter: "120" },
    { retryAfterSeconds: null, message: "answered 500" },
  ],
  [
    { kind: "answered", status: 400, retryAfter: null },
    { final: false, message: "answered 400" },
  ],
  [
    { kind: "answered", status: 302, retryAfter: null },
    { final: false, message: "answered 302, a redirect, which is not followed" },
  ],
  [
    { kind: "failed", reason: "connect ECONNREFUSED" },
    { final: false, message: "connect ECONNREFUSED" },
  ],
])("%j is taken, final or for later", async (answer, fault) => {
  const now = Date.parse("2026-11-19T08:30:00Z") / 1000;
  const send = webhook("https://example.com/", { post: () => Promise.resolve(answer), now: () => now });
  const { event, body } = eventOf();
  const sent = await send(event, body, SIGNAL).then(
    () => null,
    (error: unknown) => error,
  );
  if (fault === null) expect(sent).toBeNull();
  else {
    expect(sent).toBeInstanceOf(NotDelivered);
    expect(sent).toMatchObject(fault);
  }
});
