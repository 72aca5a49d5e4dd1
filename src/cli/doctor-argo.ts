import { z } from "zod";
import { readPart, trapsIn, type AddTrap, type Manifest, type Trap } from "./doctor-manifest.ts";

/** Kubernetes writes limits as numbers or as text. */
const Whole = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);

const Web = z.looseObject({
  method: z.string().default("GET"),
  url: z.string(),
  headers: z.array(z.looseObject({ key: z.string(), value: z.string() })).default([]),
  timeoutSeconds: z.number().default(10),
  jsonPath: z.string().default("{$}"),
  jsonBody: z.record(z.string(), z.unknown()).optional(),
  authentication: z.record(z.string(), z.unknown()).default({}),
});
const Kayenta = z.looseObject({
  address: z.string(),
  application: z.string().default(""),
  canaryConfigName: z.string().default(""),
  metricsAccountName: z.string().default(""),
  configurationAccountName: z.string().default(""),
  storageAccountName: z.string().default(""),
  lookback: z.boolean().default(false),
  threshold: z.looseObject({ pass: z.number(), marginal: z.number() }).optional(),
  scopes: z.array(z.looseObject({ controlScope: z.looseObject({ start: z.string().default("") }) })).default([]),
});
const Metric = z.looseObject({
  name: z.string(),
  initialDelay: z.string().optional(),
  interval: z.string().optional(),
  count: Whole.optional(),
  failureLimit: Whole.default(0),
  inconclusiveLimit: Whole.default(0),
  consecutiveErrorLimit: Whole.default(4),
  consecutiveSuccessLimit: Whole.optional(),
  successCondition: z.string().default(""),
  failureCondition: z.string().default(""),
  provider: z.looseObject({ web: Web.optional(), kayenta: Kayenta.optional() }),
});
type Metric = z.infer<typeof Metric>;
export const Arg = z.looseObject({
  name: z.string(),
  value: z.unknown().optional(),
  valueFrom: z.looseObject({ podTemplateHashValue: z.string().optional() }).optional(),
});
export type Arg = z.infer<typeof Arg>;
const Template = z.looseObject({ spec: z.looseObject({ args: z.array(Arg).default([]), metrics: z.array(Metric) }) });

/** Argo measures again so long after an error, whatever `interval` says. */
const ERROR_RETRY_SECONDS = 10;
/** What has to fit into the errors beside the plan: the queue, settling, an outage. */
const SLACK_SECONDS = 600;
/** Each measurement holds one of the controller's 30 workers. */
const LONGEST_TIMEOUT_SECONDS = 30;
const ARGUMENT = /\{\{\s*([^}]*?)\s*\}\}/g;

export type Mode = "step" | "background" | "kayenta";

/** What a template asks of Touchstone: how, and which analysis where it says so itself. */
export interface Judged {
  readonly mode: Mode;
  readonly analysis: string | null;
  readonly required: readonly string[];
}

/**
 * The traps of an analysis template, in the metrics that ask Touchstone.
 *
 * @param durationSecondsOf  how long the plan of an analysis may take, null where nobody knows.
 */
export function checkTemplate(
  manifest: Manifest,
  durationSecondsOf: (analysis: string) => number | null,
): { readonly traps: Trap[]; readonly judged: Judged | null } {
  const { spec } = readPart(Template, manifest.value, manifest.file);
  const { found, add } = trapsIn(manifest);
  let judged: Judged | null = null;
  const required = spec.args.filter(({ value, valueFrom }) => value === undefined && valueFrom === undefined);
  for (const [index, metric] of spec.metrics.entries()) {
    const at = `/spec/metrics/${index}`;
    const { web, kayenta } = metric.provider;
    const isOurs = kayenta !== undefined || (web !== undefined && web.url.includes("/v1/argo/"));
    if (!isOurs) continue;
    const mode: Mode =
      kayenta !== undefined ? "kayenta" : web?.jsonBody?.["mode"] === "background" ? "background" : "step";
    const named = kayenta?.canaryConfigName ?? web?.jsonBody?.["analysis"];
    const analysis = typeof named === "string" ? defaultOf(named, spec.args) : null;
    judged = { mode, analysis, required: required.map(({ name }) => name) };
    checkLimits(metric, mode, at, add);
    checkPatience(metric, mode, at, analysis === null ? null : durationSecondsOf(analysis), add);
    checkArguments(metric, spec.args, at, add);
    if (kayenta !== undefined) checkKayenta(metric, kayenta, `${at}/provider/kayenta`, at, add);
    if (web !== undefined) checkWeb(metric, web, mode, at, add);
  }
  return { traps: found, judged };
}

/** Settings that turn an answer into another one than Touchstone gave. */
function checkLimits(metric: Metric, mode: Mode, at: string, add: AddTrap): void {
  const { count, interval, failureLimit, inconclusiveLimit, consecutiveSuccessLimit } = metric;
  if (inconclusiveLimit >= 1 && count !== undefined)
    add(
      "inconclusive-limit",
      `${at}/inconclusiveLimit`,
      "with count it fails open: when the count is reached with pauses under the limit, Argo calls the metric successful and promotes; leave inconclusiveLimit out",
    );
  if (failureLimit !== 0)
    add(
      "failure-limit",
      `${at}/failureLimit`,
      "a rollback verdict within the limit is passed over; leave failureLimit out",
    );
  if (consecutiveSuccessLimit !== undefined)
    add(
      "consecutive-success-limit",
      `${at}/consecutiveSuccessLimit`,
      "a cluster whose CRDs are older than 1.8 drops it without a word, and what is left may fail open; leave it out",
    );
  if (mode === "background") {
    if (count !== undefined) add("guard-ends", `${at}/count`, "the guard ends after so many answers; leave count out");
    if (interval === undefined)
      add("guard-looks-once", at, "without an interval the guard asks once and is done; set interval: 1m");
  } else if (interval !== undefined && (count === undefined || count === 0))
    add(
      "endless-step",
      `${at}/interval`,
      "an interval without a count never ends, and Argo refuses such an analysis in a step; leave interval out",
    );
}

/** Whether Argo gives up before Touchstone has a verdict. */
function checkPatience(metric: Metric, mode: Mode, at: string, planSeconds: number | null, add: AddTrap): void {
  const patience = metric.consecutiveErrorLimit * ERROR_RETRY_SECONDS;
  const pointer = `${at}/consecutiveErrorLimit`;
  if (mode === "step") {
    const needed = (planSeconds ?? 0) + SLACK_SECONDS;
    if (patience < needed)
      add(
        "error-limit",
        pointer,
        `each 10 s of running are an error to Argo, so ${metric.consecutiveErrorLimit} of them abort the rollout after ${patience} s; ${planSeconds === null ? "the duration of the plan" : `a plan of ${planSeconds} s`} and 10 minutes must fit in: ${Math.ceil(needed / ERROR_RETRY_SECONDS)} or more`,
      );
  } else if (metric.consecutiveErrorLimit <= 4)
    add(
      "error-limit",
      pointer,
      `Touchstone away for ${patience + ERROR_RETRY_SECONDS} s, as when it is restarted, aborts the rollout; set 10 or more`,
    );
}

function checkArguments(metric: Metric, args: readonly Arg[], at: string, add: AddTrap): void {
  const declared = new Set(args.map(({ name }) => name));
  for (const [text, inside = ""] of JSON.stringify(metric).matchAll(ARGUMENT)) {
    const name = /^args\.(.+)$/.exec(inside)?.[1];
    if (name === undefined)
      add("unknown-placeholder", at, `${text} is none of Argo's arguments, and what is left in braces fails the run`);
    else if (!declared.has(name))
      add("unknown-placeholder", at, `the template declares no argument ${name}, which fails the run`);
  }
}

const BODY = ["mode", "analysis", "service", "namespace", "baseline", "candidate", "revision"] as const;

function checkWeb(metric: Metric, web: z.infer<typeof Web>, mode: Mode, at: string, add: AddTrap): void {
  const { successCondition, failureCondition } = metric;
  const inWeb = `${at}/provider/web`;
  if (successCondition === "" || failureCondition === "")
    add(
      successCondition === "" ? "no-success-condition" : "no-failure-condition",
      at,
      successCondition === ""
        ? "without a successCondition Argo takes a pause, and whatever else is no rollback, for success"
        : "without a failureCondition Argo takes a pause for a failure and aborts",
    );
  if (/^\{?\$?\}?$/.test(web.jsonPath.trim()))
    add(
      "whole-body",
      `${inWeb}/jsonPath`,
      "with {$} a body of null crashes the controller, and the dashboard shows [object Object]; use {$.summary}",
    );
  else if (!/^\{\$.*\}$/.test(web.jsonPath.trim()))
    add(
      "path-without-braces",
      `${inWeb}/jsonPath`,
      `${web.jsonPath} is plain text to Argo and never matches; write {$.summary}`,
    );
  for (const [name, condition] of Object.entries({ successCondition, failureCondition })) {
    if (/result\s*[=!]=|result\.(?!startsWith)|result\[/.test(condition))
      add(
        "summary-compared",
        `${at}/${name}`,
        'the summary begins with the verdict and goes on ("promote: …"); write result startsWith "promote"',
      );
  }
  if (mode === "background" && successCondition !== "" && !successCondition.includes("continue"))
    add(
      "guard-needs-continue",
      `${at}/successCondition`,
      'an undecided guard answers "continue: …"; without it the first look pauses the rollout',
    );
  if (web.method !== "POST") add("not-post", `${inWeb}/method`, "/v1/argo/verdict takes POST with a JSON body");
  if (web.jsonBody === undefined)
    add("no-json-body", inWeb, "without jsonBody Argo sends no content type, and what is judged is not said");
  else
    for (const name of BODY)
      if (!(name in web.jsonBody))
        add(
          "body-incomplete",
          `${inWeb}/jsonBody`,
          `${name} is missing: it is part of what tells one run from another`,
        );
  if (/\?.*\{\{|\{\{.*\{\{/.test(web.url))
    add(
      "argument-in-url",
      `${inWeb}/url`,
      "Argo puts arguments into a URL as they are, unescaped; send them in jsonBody",
    );
  if (web.timeoutSeconds > LONGEST_TIMEOUT_SECONDS)
    add(
      "timeout",
      `${inWeb}/timeoutSeconds`,
      `a measurement holds one of the controller's 30 workers; ${LONGEST_TIMEOUT_SECONDS} s or less`,
    );
  for (const name of ["basicAuth", "sigv4"])
    if (name in web.authentication)
      add(
        "ignored-authentication",
        `${inWeb}/authentication/${name}`,
        "the web provider ignores it; send a header, or use oauth2",
      );
  for (const [index, { key, value }] of web.headers.entries())
    if (/^authorization$/i.test(key) && !value.includes("{{"))
      add(
        "token-in-plain-text",
        `${inWeb}/headers/${index}`,
        "the token stands in the manifest; take it from a secret by an argument",
      );
}

function checkKayenta(
  metric: Metric,
  kayenta: z.infer<typeof Kayenta>,
  inKayenta: string,
  at: string,
  add: AddTrap,
): void {
  if (kayenta.lookback && metric.initialDelay === undefined)
    add(
      "lookback-without-delay",
      at,
      "lookback without initialDelay crashes the controller at the first measurement; set initialDelay: 10s",
    );
  const hasStart = kayenta.scopes.some(({ controlScope }) => controlScope.start !== "");
  if (!kayenta.lookback && metric.interval === undefined && !hasStart)
    add(
      "no-window",
      at,
      "without lookback, interval and start Argo 1.9 cannot say where the window begins, and every measurement is an error; set lookback: true",
    );
  if (kayenta.threshold === undefined)
    add(
      "no-threshold",
      inKayenta,
      `the field is called threshold${"thresholds" in kayenta ? ", not thresholds as Argo's documentation has it" : ""}; without it every score passes`,
    );
  else if (kayenta.threshold.pass <= kayenta.threshold.marginal)
    add("threshold-order", `${inKayenta}/threshold`, "pass must lie above marginal, or no verdict can be pause");
  for (const name of ["interval", "count"])
    if (name in kayenta) add("misplaced", `${inKayenta}/${name}`, "belongs to the metric; here Kubernetes drops it");
  if (!kayenta.address.endsWith("/kayenta"))
    add(
      "kayenta-path",
      `${inKayenta}/address`,
      "Touchstone speaks Kayenta below /kayenta; end the address with it, without a slash",
    );
  for (const name of [
    "application",
    "canaryConfigName",
    "metricsAccountName",
    "configurationAccountName",
    "storageAccountName",
  ] as const)
    if (/[\s&?#/%]/.test(kayenta[name].replaceAll(ARGUMENT, "")))
      add(
        "unescaped",
        `${inKayenta}/${name}`,
        "Argo escapes nothing in its Kayenta requests; use letters, digits and -",
      );
}

function defaultOf(text: string, args: readonly Arg[]): string | null {
  const name = /^\{\{\s*args\.(.+?)\s*\}\}$/.exec(text)?.[1];
  if (name === undefined) return text === "" || text.includes("{{") ? null : text;
  const value = args.find((arg) => arg.name === name)?.value;
  return typeof value === "string" && value !== "" ? value : null;
}
