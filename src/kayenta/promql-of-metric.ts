import type { CanaryConfig, CanaryMetric } from "../model/canary.ts";

/** How what differs between the arms stands in a query. */
export interface QueryWords {
  /** `${scope}`: `{{ version }}`, or another placeholder of ours. */
  readonly scope: string;
  /** Names that come with the versions; every other one is an argument of the analysis. */
  readonly labels: ReadonlySet<string>;
}

export interface MetricQuery {
  readonly promql: string;
  /** Arguments that the query uses, with their defaults; null: none. */
  readonly args: Readonly<Record<string, string | null>>;
}

/**
 * The PromQL that Kayenta sends for a metric, with placeholders of ours for its `${…}`.
 *
 * @returns the fault, a sentence without the metric's name, where it cannot be carried.
 */
export function promqlOf(metric: CanaryMetric, config: CanaryConfig, words: QueryWords): MetricQuery | string {
  const { query } = metric;
  const type = query?.type ?? (typeof query?.["serviceType"] === "string" ? query["serviceType"] : undefined);
  if (query === undefined || type === undefined) return "has no query with a type";
  if (type !== "prometheus") return `asks ${type}, and only prometheus can be carried`;
  if (query.customFilter !== undefined && query.customFilter !== "")
    return "has a customFilter, which Kayenta refuses too; use customInlineTemplate or customFilterTemplate";
  if ((query.groupByFields ?? []).length > 0)
    return `groups by ${query.groupByFields?.join(", ")}; one run compares two versions as wholes, write one metric for each group`;
  const template = templateOf(query, config);
  if (typeof template === "object") return template.fault;
  const text = template === "" ? byResource(query) : byTemplate(template, query);
  return typeof text === "object" ? text.fault : expand(text, query, words);
}

type Query = NonNullable<CanaryMetric["query"]>;
interface Fault {
  readonly fault: string;
}

/** The template in force; empty where there is none. */
function templateOf(
  { customInlineTemplate, customFilterTemplate }: Query,
  { templates = {} }: CanaryConfig,
): string | Fault {
  if (customInlineTemplate !== undefined && customInlineTemplate !== "") return customInlineTemplate;
  if (customFilterTemplate === undefined || customFilterTemplate === "") return "";
  const [, template] = Object.entries(templates).find(([name]) => name === customFilterTemplate) ?? [];
  return template ?? { fault: `uses the template ${customFilterTemplate}, which the config does not have` };
}

const VERBATIM = "PromQL:";

function byTemplate(template: string, query: Query): string | Fault {
  if (template.startsWith(VERBATIM)) return template.slice(VERBATIM.length).trim();
  return average(query, [template, ...(query.labelBindings ?? [])]);
}

function byResource(query: Query): string | Fault {
  const { resourceType, labelBindings = [] } = query;
  switch (resourceType) {
    case "gce_instance":
      return average(query, [...labelBindings, 'instance=~"${scope}-.{4}"', 'zone=~".+/zones/${location}-.{1}"']);
    case "aws_ec2_instance":
      return average(query, [...labelBindings, 'asg_groupName="${scope}"', 'zone=~"${location}.{1}"']);
    case undefined:
    case "":
      return { fault: "has neither a resourceType nor a template, so that nothing would tell the versions apart" };
    default:
      return { fault: `has the resourceType ${resourceType}, which Kayenta has no filter for; use a template` };
  }
}

function average({ metricName }: Query, filters: readonly string[]): string | Fault {
  if (metricName === undefined || metricName === "") return { fault: "has no metricName" };
  return `avg(${metricName}{${filters.join(",")}})`;
}

/** A variable, with its default where it has one; `$${` stands for a literal `${`. */
const VARIABLE = /\$?\$\{([^{}]*)\}/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

function expand(text: string, query: Query, { scope, labels }: QueryWords): MetricQuery | string {
  if (text.includes("{{")) return "has {{ in its query, which means a placeholder here";
  const args: Record<string, string | null> = {};
  const faults: string[] = [];
  // Orca writes ${ as $\{ to keep it from its own expressions.
  const promql = text
    .replaceAll("$\\{", "${")
    .replaceAll(VARIABLE, (all: string, inner: string, at: number, whole: string) => {
      if (all.startsWith("$$")) return all.slice(1);
      const [name = "", ...rest] = inner.split(":-");
      const fallback = rest.length === 0 ? null : rest.join(":-");
      if (!isQuoted(whole, at)) faults.push(`has \${${inner}} outside quotes, where a value could change the query`);
      if (name === "scope") return scope;
      if (labels.has(name)) return `{{ labels.${name} }}`;
      const own = query[name];
      if (name === "resourceType" && typeof own === "string") return own;
      if (!VARIABLE_NAME.test(name)) faults.push(`uses the variable \${${inner}}, whose name cannot be carried`);
      args[name] = fallback;
      return `{{ args.${name} }}`;
    });
  return faults[0] ?? { promql, args };
}

/** Whether this place of a query lies within a string. */
function isQuoted(promql: string, at: number): boolean {
  let quote = "";
  for (let i = 0; i < at; i++) {
    const char = promql.charAt(i);
    if (char === "\\" && quote !== "" && quote !== "`") i += 1;
    else if (quote === "" && (char === '"' || char === "'" || char === "`")) quote = char;
    else if (char === quote) quote = "";
  }
  return quote !== "";
}
