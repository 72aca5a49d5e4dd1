import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { TargetConfig } from "../src/model/target.ts";
import { createPost } from "../src/post.ts";
import { checkTargetSecrets, wireTargets } from "../src/wire-targets.ts";
import { eventOf } from "./notify/event.ts";
import { listenForEvents } from "./notify/receiver.ts";

const secretOf = (fill: number): string => `whsec_${Buffer.alloc(32, fill).toString("base64")}`;
const SIGNAL = new AbortController().signal;

test("a secret in a file takes effect at the next attempt after it changed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-targets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "secret");
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(200).end());
  const post = createPost();
  onTestFinished(() => post.close());
  const config = TargetConfig.parse({
    name: "pager",
    type: "webhook",
    url,
    secrets: [`file:${path}`, "env:OLD"],
    headers: { "X-Auth": "env:AUTH" },
    allowPrivate: true,
    always: true,
  });
  const targets = wireTargets({ configs: [config], environment: { OLD: secretOf(1), AUTH: "bearer" } }, post, () =>
    Promise.resolve(null),
  );
  expect(targets.get("pager")).toMatchObject({ type: "webhook", always: true });
  const { event, body } = eventOf();
  for (const fill of [2, 3]) {
    await writeFile(path, `${secretOf(fill)}\n`);
    await targets.get("pager")?.send(event, body, SIGNAL);
    const last = received.at(-1);
    for (const secret of [fill, 1].map(secretOf))
      expect(new Webhook(secret).verify(last?.body ?? "", last?.headers ?? {})).toEqual(event);
    expect(last?.headers["x-auth"]).toBe("bearer");
  }
});

test("a target on this machine is refused unless the operator allows it", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(200).end());
  const post = createPost();
  onTestFinished(() => post.close());
  const configs = [
    TargetConfig.parse({ name: "hook", type: "webhook", url, secrets: ["env:S"] }),
    TargetConfig.parse({ name: "chat", type: "slack", url: "env:CHAT" }),
  ];
  const targets = wireTargets({ configs, environment: { S: secretOf(1), CHAT: url } }, post, () =>
    Promise.resolve(null),
  );
  const { event, body } = eventOf();
  for (const name of ["hook", "chat"])
    await expect(targets.get(name)?.send(event, body, SIGNAL)).rejects.toThrow(/never connects to/);
  expect(received).toEqual([]);
});

test("bad secrets are found at the start, all at once, and not shown", async () => {
  const configs = [
    TargetConfig.parse({ name: "a", type: "webhook", url: "https://x", secrets: ["env:PLAIN"] }),
    TargetConfig.parse({ name: "b", type: "webhook", url: "https://x", secrets: ["file:/nowhere"] }),
    TargetConfig.parse({ name: "c", type: "slack", url: "env:PLAIN" }),
    TargetConfig.parse({ name: "d", type: "slack", url: "env:URL" }),
  ];
  const environment = { PLAIN: "hunter2", URL: "https://hooks.example.com/x" };
  const error = await checkTargetSecrets({ configs, environment }).catch((fault: unknown) => fault);
  expect(error).toMatchObject({
    code: "invalid_config",
    issues: [
      { pointer: "a", detail: "env:PLAIN is not whsec_ followed by base64" },
      { pointer: "b", detail: "the secret file:/nowhere cannot be read" },
      { pointer: "c", detail: "env:PLAIN is not an http or https URL" },
    ],
  });
  expect(String(error)).not.toContain("hunter2");
});
