import { TouchstoneError, type Issue } from "./errors.ts";
import type { RunEvent } from "./model/event.ts";
import type { PostMortemTarget, TargetConfig, WebhookTarget } from "./model/target.ts";
import { durationSeconds, type Duration } from "./model/time.ts";
import { readKey } from "./notify/signature.ts";
import { createAlertmanager } from "./notify/alertmanager.ts";
import { createCloudEvents } from "./notify/cloudevents.ts";
import { createGrafana } from "./notify/grafana.ts";
import { createPostMortem, type ReadPack } from "./notify/postmortem.ts";
import { createSlack } from "./notify/slack.ts";
import type { NotificationTarget, Send, Targets } from "./notify/target.ts";
import { wantsEvent, wantsPostMortem } from "./notify/wants.ts";
import { createWebhook } from "./notify/webhook.ts";
import type { Post } from "./post.ts";
import { readSecret } from "./wire-sources.ts";

const DEFAULT_TIMEOUT: Duration = "10s";

export interface TargetsSpec {
  readonly configs: readonly TargetConfig[];
  /** What `env:NAME` stands for. */
  readonly environment: Readonly<Record<string, string>>;
}

const DEFAULT_ALERT: Duration = "1h";

/**
 * The configured notification targets, each by its adapter.
 *
 * @param readPack  for post-mortems: what is known of a run.
 */
export function wireTargets({ configs, environment }: TargetsSpec, post: Post, readPack: ReadPack): Targets {
  const secret = (ref: string): Promise<string> => readSecret(ref, environment);
  const now = () => Date.now() / 1000;

  const wireSend = (config: TargetConfig): Send => {
    const { allowPrivate = false, timeout = DEFAULT_TIMEOUT } = config;
    const shared = { allowPrivate, timeoutMs: durationSeconds(timeout) * 1000, post, now };
    switch (config.type) {
      case "webhook":
        return createWebhook({
          ...shared,
          url: config.url,
          keys: () => readKeys(config, secret),
          headers: () => readHeaders(config, secret),
        });
      case "slack":
        return createSlack({ ...shared, url: () => readUrl(config.url, secret) });
      case "cloudevents":
        return createCloudEvents({
          ...shared,
          url: config.url,
          source: config.source ?? "/touchstone",
          headers: () => readHeaders(config, secret),
        });
      case "alertmanager":
        return createAlertmanager({
          ...shared,
          url: config.url,
          lastsSeconds: durationSeconds(config.lasts ?? DEFAULT_ALERT),
          labels: config.labels ?? {},
          server: config.server ?? null,
          headers: () => readHeaders(config, secret),
        });
      case "grafana":
        return createGrafana({
          ...shared,
          url: config.url,
          token: () => secret(config.token),
          dashboard: config.dashboard ?? null,
          tags: config.tags ?? [],
          server: config.server ?? null,
        });
      case "postmortem": {
        const { units, duration } = config.exposure;
        return createPostMortem({
          ...shared,
          url: config.url,
          keys: () => readKeys(config, secret),
          headers: () => readHeaders(config, secret),
          bound: {
            ...(units === undefined ? {} : { units }),
            ...(duration === undefined ? {} : { seconds: durationSeconds(duration) }),
          },
          readPack,
        });
      }
    }
  };
  return new Map(
    configs.map((config): [string, NotificationTarget] => {
      const { name, type, always = false } = config;
      const wants = (event: RunEvent): boolean =>
        config.type === "postmortem" ? wantsPostMortem(config, event) : wantsEvent(config, event);
      return [name, { type, always, wants, send: wireSend(config) }];
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
  const checkHeaders = async (config: Extract<TargetConfig, { headers?: unknown }>): Promise<void> => {
    for (const ref of Object.values(config.headers ?? {})) await check(config, () => secret(ref));
  };
  for (const config of configs) {
    switch (config.type) {
      case "webhook":
      case "postmortem":
        await check(config, () => readKeys(config, secret));
        await checkHeaders(config);
        break;
      case "cloudevents":
      case "alertmanager":
        await checkHeaders(config);
        break;
      case "slack":
        await check(config, () => readUrl(config.url, secret));
        break;
      case "grafana":
        await check(config, () => secret(config.token));
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

async function readHeaders(
  { headers = {} }: { readonly headers?: Readonly<Record<string, string>> | undefined },
  secret: ReadSecret,
): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(headers).map(async ([name, ref]) => [name, await secret(ref)] as const)),
  );
}

function readKeys({ secrets }: WebhookTarget | PostMortemTarget, secret: ReadSecret): Promise<Buffer[]> {
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
