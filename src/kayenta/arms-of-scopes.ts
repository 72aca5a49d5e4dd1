import type { Issue } from "../errors.ts";
import { canonicalJson } from "../model/canonical.ts";
import type { CanaryScope, CanaryScopePair } from "../model/canary.ts";
import { epochSeconds, type Instant } from "../model/time.ts";
import { VersionLabel, type Version } from "../model/version.ts";

/** The arms that a pair of scopes names, and what it says of time. */
export interface ScopedArms {
  readonly baseline: Version;
  readonly candidate: Version;
  /** Parameters that both scopes give alike, and that are arguments of the analysis. */
  readonly args: Readonly<Record<string, string>>;
  /** Null: from when, or until when, is left to Touchstone. */
  readonly start: Instant | null;
  readonly end: Instant | null;
  readonly stepSeconds: number | null;
}

/** Argo Rollouts asks the clock for each scope. */
const SAME_TIME_SECONDS = 5;

/**
 * The versions behind a pair of scopes.
 *
 * The scope is the version's label; where it is written as `key=value,…` the parts become labels, and its `version` or `hash` the label. The scope as it was sent, the
 * location and the parameters are labels too.
 *
 * @param args     names of the analysis's arguments: parameters of these names are not labels.
 * @param pointer  of the pair in the request.
 */
export function armsOfScopes(
  { controlScope, experimentScope }: CanaryScopePair,
  args: ReadonlySet<string>,
  pointer: string,
): ScopedArms | { issues: Issue[] } {
  const issues: Issue[] = [];
  const fault = (at: string, detail: string) => void issues.push({ pointer: `${pointer}${at}`, detail });
  const [control, experiment] = [controlScope, experimentScope].map(namedBy);
  if (canonicalJson(control) === canonicalJson(experiment))
    fault("/experimentScope", "is the controlScope: a version compared with itself tells nothing");
  const times = (["start", "end"] as const).map((edge) => {
    const [one, other] = [controlScope[edge], experimentScope[edge]];
    if (one === undefined || other === undefined) return one ?? other ?? null;
    if (Math.abs(epochSeconds(one) - epochSeconds(other)) > SAME_TIME_SECONDS)
      fault(
        `/experimentScope/${edge}`,
        `is ${other}, and that of the controlScope is ${one}; Touchstone compares two versions over the same time`,
      );
    return one;
  });
  const [start = null, end = null] = times;
  if (start !== null && end !== null && epochSeconds(start) >= epochSeconds(end))
    fault("/controlScope/end", `is ${end}, not after the start, ${start}`);
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(experimentScope.extendedScopeParams ?? {})) {
    if (!args.has(name)) continue;
    if (controlScope.extendedScopeParams?.[name] !== value)
      fault(`/experimentScope/extendedScopeParams/${name}`, "is an argument of the analysis, the same for both scopes");
    own[name] = value;
  }
  const [baseline, candidate] = toVersions(controlScope, experimentScope, args);
  for (const [side, { labels = {} }] of [
    ["controlScope", baseline],
    ["experimentScope", candidate],
  ] as const) {
    const long = Object.keys(labels).find((name) => (labels[name] ?? "").length > LONGEST_VALUE);
    if (long !== undefined) fault(`/${side}`, `has a ${long} of more than ${LONGEST_VALUE} characters`);
    if (Object.keys(labels).length > MOST_LABELS) fault(`/${side}`, `names more than ${MOST_LABELS} labels`);
  }
  if (issues.length > 0) return { issues };
  return { baseline, candidate, args: own, start, end, stepSeconds: experimentScope.step ?? controlScope.step ?? null };
}

const LONGEST_VALUE = 256;
const MOST_LABELS = 32;

/** What of a scope tells one version from another. */
export function namedBy({ scope, location, region, extendedScopeParams = {} }: CanaryScope) {
  return { scope, location: location ?? region ?? "", extendedScopeParams };
}

function toVersions(control: CanaryScope, experiment: CanaryScope, args: ReadonlySet<string>): [Version, Version] {
  const [baseline, candidate] = [control, experiment].map((scope) => toVersion(scope, args));
  if (baseline.label !== candidate.label) return [baseline, candidate];
  // The same scope in two places, or with other parameters.
  const suffixed = (version: Version, suffix: string) => ({
    ...version,
    label: `${version.label.slice(0, 100)}-${suffix}`,
  });
  return [suffixed(baseline, "baseline"), suffixed(candidate, "candidate")];
}

function toVersion(named: CanaryScope, args: ReadonlySet<string>): Version {
  const { scope, location, extendedScopeParams } = namedBy(named);
  const parts = partsOf(scope);
  const parameters = Object.entries(extendedScopeParams).filter(([name]) => LABEL_NAME.test(name) && !args.has(name));
  return {
    label: labelOf(scope, parts),
    labels: { ...parts, ...Object.fromEntries(parameters), location, scope },
  };
}

const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** `namespace=shop,hash=5d4c` as labels; nothing where the scope is not written like this. */
function partsOf(scope: string): Record<string, string> {
  const parts = scope.split(",").map((part) => part.split(/=(.*)/s).slice(0, 2));
  if (parts.some((part) => part.length < 2)) return {};
  return Object.fromEntries(
    parts.flatMap(([name = "", value = ""]) => (LABEL_NAME.test(name.trim()) ? [[name.trim(), value.trim()]] : [])),
  );
}

function labelOf(scope: string, { version, hash }: Readonly<Record<string, string>>): string {
  const found = [scope, version, hash].find((text) => text !== undefined && VersionLabel.safeParse(text).success);
  if (found !== undefined) return found;
  const safe = scope
    .replaceAll("=", ":")
    .replaceAll(",", "/")
    .replaceAll(/[^A-Za-z0-9_.:/@+-]/g, "_");
  return (/^[A-Za-z0-9]/.test(safe) ? safe : `v${safe}`).slice(0, 128);
}
