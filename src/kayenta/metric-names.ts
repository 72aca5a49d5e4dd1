import { Name } from "../model/name.ts";

const LONGEST = 63;

/** Any text as a name of ours: `CPU Usage (%)` becomes `cpu-usage`. */
export function toName(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .slice(0, LONGEST)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return Name.safeParse(name).success ? name : "unnamed";
}

/** Names of ours for these texts, in their order; where two come out equal, the later one is numbered. */
export function metricNames(texts: readonly string[]): string[] {
  const taken = new Set<string>();
  return texts.map((text) => {
    const name = toName(text);
    let own = name;
    for (let n = 2; taken.has(own); n++) own = `${name.slice(0, LONGEST - String(n).length - 1)}-${n}`;
    taken.add(own);
    return own;
  });
}
