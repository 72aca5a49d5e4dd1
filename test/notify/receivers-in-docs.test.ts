import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { readKey } from "../../src/notify/signature.ts";
import { createWebhook } from "../../src/notify/webhook.ts";
import { createPost } from "../../src/post.ts";
import { freePort } from "../services/servers.ts";
import { eventOf } from "./event.ts";

vi.setConfig({ testTimeout: 30_000 });

const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(32, 2).toString("base64")}`;
const docs = readFileSync(new URL("../../docs/notifications.md", import.meta.url), "utf8");

test.each([
  { language: "js", file: "receiver.mjs", program: process.execPath },
  { language: "python", file: "receiver.py", program: "python3" },
])(
  "the receiver in $language that the docs show takes what is signed, once, and refuses the rest",
  async (receiver) => {
    if (spawnSync(receiver.program, ["--version"]).status !== 0) return expect(receiver.language).toBe("python");
    const code = new RegExp(`\`\`\`${receiver.language}\n([^]*?)\n\`\`\``).exec(docs)?.[1] ?? "";
    expect(code.length).toBeGreaterThan(500);
    const folder = mkdtempSync(join(tmpdir(), "touchstone-receiver-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, receiver.file), code);
    const port = await freePort();
    let printed = "";
    const child = spawn(receiver.program, [join(folder, receiver.file)], { env: { SECRET, PORT: String(port) } });
    onTestFinished(() => void child.kill());
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));

    const post = createPost();
    onTestFinished(() => post.close());
    const send = (secrets: string[], agoSeconds = 0, body = eventOf().body) =>
      createWebhook({
        url: `http://127.0.0.1:${port}/`,
        keys: () => Promise.resolve(secrets.map(readKey)),
        headers: () => Promise.resolve({}),
        timeoutMs: 5000,
        allowPrivate: true,
        post,
        now: () => Date.now() / 1000 - agoSeconds,
      })(eventOf().event, body, new AbortController().signal);
    const sending = () => send([SECRET]).then(() => "taken", String);
    await expect.poll(sending, { timeout: 20_000 }).toBe("taken");
    await send([OTHER, SECRET]);
    await expect(send([OTHER])).rejects.toThrow("answered 401");
    await expect(send([SECRET], 600)).rejects.toThrow("answered 401");
    await expect.poll(() => printed, { timeout: 5000 }).toBe("rollback\n");
  },
);
