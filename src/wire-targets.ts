import { TouchstoneError, type Issue } from "./errors.ts";
import type { TargetConfig, WebhookTarget } from "./model/target.ts";
import { durationSeconds, type Duration } from "./model/time.ts";
import { readKey } from "./notify/signature.ts";
import { createSlack } from "./notify/slack.ts";
import type { NotificationTarget, Send, Targets } from "./notify/target.ts";
import { wantsEvent } from "./notify/wants.ts";
import { createWebhook } from "./notify/webhook.ts";
import type { Post } from "./post.ts";
import { readSecret } from "./wire-sources.ts";

const DEFAULT_TIMEOUT: Duration = "10s";

export interface TargetsSpec {
  readonly configs: readonly TargetConfig[];
  /** What `env:NAME` stands for. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The configured notification targets, each by its adapter. */
export function wireTargets({ configs, environment }: TargetsSpec, post: Post): Targets {
  const secret = (ref: string): Promise<string> => readSecret(ref, environment);
  const now = () => Date.now() / 1000;

  const wireSend = (config: TargetConfig): Send => {
    const { allowPrivate = false, timeout = DEFAULT_TIMEOUT } = config;
    const shared = { allowPrivate, timeoutMs: durationSeconds(timeout) * 1000, post, now };
    switch (config.type) {
      case "webhook": {
        const headers = Object.entries(config.headers ?? {});
        return createWebhook({
          ...shared,
          url: config.url,
          keys: () => readKeys(config, secret),
          headers: async () =>
            Object.fromEntries(
              await Promise.all(headers.map(async ([name, ref]) => [name, await secret(ref)] as const)),
            ),
        });
      }
      case "slack":
        return createSlack({ ...shared, url: () => readUrl(config.url, secret) });
    }
  };
  return new Map(
    configs.map((config): [string, NotificationTarget] => {
      const { name, type, always = false } = config;
      return [name, { type, always, wants: (event) => wantsEvent(config, event), send: wireSend(config) }];
    }),
  );
}

/**
 * Finds what is wrong with the secrets of targets at the start, and not when the first verdict is to be told.
 *
 * @throws TouchstoneError `invalid_config` naming every bad secret.
 */
export async function checkTargetSecrets({ configs, environment }: TargetsSpec): Promise<void> {
  const secret = (ref: string): Promise<string> => readSecret(ref, environment);
  const issues: Issue[] = [];
  const check = async ({ name }: TargetConfig, read: () => Promise<unknown>): Promise<void> => {
    try {
      await read();
    } catch (error) {
      issues.push({ pointer: name, detail: error instanceof Error ? error.message : String(error) });
    }
  };
  for (const config of configs) {
    switch (config.type) {
      case "webhook":
        await check(config, () => readKeys(config, secret));
        for (const ref of Object.values(config.headers ?? {})) await check(config, () => secret(ref));
        break;
      case "slack":
        await check(config, () => readUrl(config.url, secret));
    }
  }
  if (issues.length > 0)
    throw new TouchstoneError(
      "invalid_config",
      `the secrets of notification targets are not valid:\n${issues.map(({ pointer, detail }) => `  ${pointer}: ${detail}`).join("\n")}`,
      { issues },
    );
}

type ReadSecret = (ref: string) => Promise<string>;

function readKeys({ secrets }: WebhookTarget, secret: ReadSecret): Promise<Buffer[]> {
  return Promise.all(
    secrets.map(async (ref) => {
      const text = await secret(ref);
      try {
        return readKey(text);
      } catch (cause) {
        throw new TouchstoneError(
          "invalid_config",
          `${ref} ${cause instanceof Error ? cause.message : String(cause)}`,
          {
            cause,
          },
        );
      }
    }),
  );
}

async function readUrl(ref: string, secret: ReadSecret): Promise<string> {
  const url = await secret(ref);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TouchstoneError("invalid_config", `${ref} is not an http or https URL`);
  return url;
}
