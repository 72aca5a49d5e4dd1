import { durationSeconds } from "../model/time.ts";
import { z } from "zod";
import { readPart, trapsIn, type AddTrap, type Manifest, type Trap } from "./doctor-manifest.ts";

/** Flagger's durations: Go's, with a unit. */
const GoDuration = z
  .string()
  .regex(/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/, "must be a duration with its unit, for example 5s");

const Hook = z.looseObject({
  name: z.string(),
  type: z.string().default("rollout"),
  url: z.string(),
  timeout: GoDuration.default("10s"),
  retries: z.int().default(0),
  muteAlert: z.boolean().default(false),
  metadata: z.record(z.string(), z.string()).default({}),
});
type Hook = z.infer<typeof Hook>;
const Metric = z.looseObject({
  name: z.string(),
  templateRef: z.looseObject({ name: z.string() }).optional(),
  templateVariables: z.record(z.string(), z.string()).default({}),
  thresholdRange: z.looseObject({ min: z.number().optional(), max: z.number().optional() }).optional(),
});
const Canary = z.looseObject({
  spec: z.looseObject({
    analysis: z.looseObject({
      interval: GoDuration,
      threshold: z.number().default(0),
      iterations: z.number().default(0),
      webhooks: z.array(Hook).default([]),
      metrics: z.array(Metric).default([]),
    }),
  }),
});
const MetricTemplate = z.looseObject({
  spec: z.looseObject({
    provider: z.looseObject({ type: z.string(), address: z.string().default("") }),
    query: z.string(),
  }),
});

/** One path for each role, since a yes means something else to each hook. */
const ROLES = {
  start: "pre-rollout",
  rollback: "rollback",
  advance: "confirm-traffic-increase",
  promote: "confirm-promotion",
  finish: "post-rollout",
  event: "event",
} as const;
type Role = keyof typeof ROLES;
/** Asked in every tick of Flagger. */
const EVERY_TICK: ReadonlySet<Role> = new Set(["rollback", "advance", "promote"]);

/** A metric template that asks Touchstone, with the variables that its query uses. */
export interface JudgedMetric {
  readonly series: string;
  readonly variables: readonly string[];
}

export function checkMetricTemplate(manifest: Manifest): {
  readonly traps: Trap[];
  readonly judged: JudgedMetric | null;
} {
  const { provider, query } = readPart(MetricTemplate, manifest.value, manifest.file).spec;
  const { found, add } = trapsIn(manifest);
  const series = /\btouchstone_(?:verdict|score)\b/.exec(query)?.[0];
  if (series === undefined) return { traps: [], judged: null };
  if (provider.type !== "prometheus")
    add("provider-type", "/spec/provider/type", "Touchstone answers Flagger as a provider of type prometheus");
  if (!/\/flagger\/?$/.test(provider.address))
    add(
      "provider-address",
      "/spec/provider/address",
      "Touchstone answers Flagger's queries below /flagger; end the address with it (a query string is dropped)",
    );
  for (const name of ["namespace", "name", "analysis"])
    if (!new RegExp(`\\b${name}="`).test(query))
      add("query-incomplete", "/spec/query", `the query does not say ${name}, and cannot tell one canary from another`);
  const variables = [...query.matchAll(/\{\{\s*variables\.([A-Za-z0-9_]+)\s*\}\}/g)].map(([, name = ""]) => name);
  return { traps: found, judged: { series, variables } };
}

/** What a canary asks Touchstone to judge by. */
export interface CheckedCanary {
  readonly traps: Trap[];
  readonly analyses: readonly string[];
}

/** @param templates  the metric templates of the same command that ask Touchstone, by name. */
export function checkCanary(manifest: Manifest, templates: ReadonlyMap<string, JudgedMetric>): CheckedCanary {
  const { analysis } = readPart(Canary, manifest.value, manifest.file).spec;
  const { found, add } = trapsIn(manifest);
  const at = "/spec/analysis";
  const hooks = analysis.webhooks.flatMap((hook, index) => {
    const role = roleOf(hook.url);
    return role === null ? [] : [{ hook, role, pointer: `${at}/webhooks/${index}` }];
  });
  for (const { hook, role, pointer } of hooks) checkHook(hook, role, pointer, add);
  checkSharedPaths(hooks, add);
  if (hooks.length > 0) checkRoles(hooks, analysis.iterations > 0, analysis.metrics, templates, at, add);
  const longest = hooks
    .filter(({ role }) => role !== "finish")
    .reduce((sum, { hook }) => sum + durationSeconds(hook.timeout), 0);
  if (longest >= durationSeconds(analysis.interval))
    add(
      "timeouts",
      `${at}/interval`,
      `the hooks of one tick may take ${longest} s together, which is no less than the interval of ${analysis.interval}`,
    );
  const named = [...new Set(hooks.flatMap(({ hook }) => hook.metadata["analysis"] ?? []))];
  if (named.length > 1)
    add("analyses-differ", `${at}/webhooks`, `the hooks name ${named.join(" and ")}: each would have a run of its own`);
  const judged = checkMetrics(analysis.metrics, templates, at, add);
  if (judged.length > 0 && analysis.threshold < 3)
    add(
      "low-threshold",
      `${at}/threshold`,
      "each answer that Flagger cannot get is a failed check and never forgotten; 3 or more, or a restart rolls back",
    );
  return { traps: found, analyses: [...new Set([...named, ...judged])] };
}

interface RoleHook {
  readonly hook: Hook;
  readonly role: Role;
  readonly pointer: string;
}

function roleOf(url: string): Role | null {
  const last = /\/v1\/flagger\/([a-z]+)\/?(?:\?.*)?$/.exec(url)?.[1];
  return (Object.keys(ROLES) as Role[]).find((role) => role === last) ?? null;
}

function checkHook(hook: Hook, role: Role, pointer: string, add: AddTrap): void {
  const { type, retries, muteAlert, metadata } = hook;
  if (type === "rollout")
    add(
      "rollout-hook",
      `${pointer}/type`,
      `a hook of type rollout counts every "not yet" as a failure; ${role} belongs to ${ROLES[role]}`,
    );
  else if (type !== ROLES[role])
    add(
      type === "rollback" || role === "rollback" ? "rollback-inverted" : "wrong-path",
      `${pointer}/type`,
      type === "rollback"
        ? `Flagger reads a yes to this hook as "roll back now", and ${role} answers yes when all is well; use /v1/flagger/rollback`
        : role === "rollback"
          ? `/v1/flagger/rollback says yes when the candidate must go, which ${type} reads as good news; it belongs to a hook of type rollback`
          : `/v1/flagger/${role} belongs to a hook of type ${ROLES[role]}`,
    );
  if (type === "confirm-traffic-increase" && !muteAlert)
    add("alert-every-tick", pointer, "Flagger alerts in every tick that it waits; set muteAlert: true");
  if (retries > 0 && EVERY_TICK.has(role))
    add(
      "retries",
      `${pointer}/retries`,
      "the hook is asked again in the next tick anyway; retries only hold up this one, as long as Retry-After asks",
    );
  if (metadata["analysis"] === undefined)
    add("no-analysis", pointer, "metadata.analysis is missing: it says by what the candidate is judged");
}

/** Roles are told apart by the path alone, so a path must not serve two. */
function checkSharedPaths(hooks: readonly RoleHook[], add: AddTrap): void {
  const seen = new Map<string, string>();
  for (const { hook, pointer } of hooks) {
    const other = seen.get(hook.url);
    if (other !== undefined && other !== hook.type)
      add(
        "shared-path",
        `${pointer}/url`,
        `the hooks of type ${other} and ${hook.type} share a path, and a yes means something else to each`,
      );
    seen.set(hook.url, hook.type);
  }
}

function checkRoles(
  hooks: readonly RoleHook[],
  isByIteration: boolean,
  metrics: readonly z.infer<typeof Metric>[],
  templates: ReadonlyMap<string, JudgedMetric>,
  at: string,
  add: AddTrap,
): void {
  const has = (role: Role) => hooks.some((one) => one.role === role);
  const hasMetric = metrics.some(({ templateRef }) => templateRef !== undefined && templates.has(templateRef.name));
  const missing = (role: Role, text: string) =>
    add("role-missing", `${at}/webhooks`, `no ${ROLES[role]} hook asks /v1/flagger/${role}: ${text}`);
  if (!has("start")) missing("start", "no attempt is ever opened");
  if (!has("finish")) missing("finish", "the run goes on after the rollout has ended");
  if (hasMetric) return;
  if (!has("rollback")) missing("rollback", "a rollback verdict changes nothing");
  if (!isByIteration && !has("advance")) missing("advance", "traffic grows whatever Touchstone says");
  if (!has("promote")) missing("promote", "the candidate is promoted whatever Touchstone says");
}

/** @returns the analyses that metrics name. */
function checkMetrics(
  metrics: readonly z.infer<typeof Metric>[],
  templates: ReadonlyMap<string, JudgedMetric>,
  at: string,
  add: AddTrap,
): string[] {
  const analyses: string[] = [];
  for (const [index, { templateRef, templateVariables, thresholdRange }] of metrics.entries()) {
    const template = templateRef === undefined ? undefined : templates.get(templateRef.name);
    if (template === undefined) continue;
    const pointer = `${at}/metrics/${index}`;
    for (const name of template.variables)
      if (templateVariables[name] === undefined)
        add("variable-missing", pointer, `templateVariables.${name} is missing, and every check fails without it`);
    if (templateVariables["analysis"] !== undefined) analyses.push(templateVariables["analysis"]);
    const min = thresholdRange?.min;
    if (template.series === "touchstone_verdict" && (min === undefined || min > 0 || min <= -1))
      add(
        "threshold-range",
        `${pointer}/thresholdRange`,
        min === undefined || min <= -1
          ? "a rollback is -1: without min: 0 it passes"
          : "undecided is 0: with a min above it every look before the verdict is a failed check; set min: 0",
      );
  }
  return analyses;
}
