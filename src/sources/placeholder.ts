import { TouchstoneError } from "../errors.ts";
import type { SourceRequest } from "./source.ts";

/** `{{ version }}`, `{{ step }}`, `{{ labels.x }}`, `{{ args.x }}`: what a query may leave open. */
export type Placeholder =
  | { readonly kind: "version" }
  | { readonly kind: "step" }
  | { readonly kind: "labels"; readonly name: string }
  | { readonly kind: "args"; readonly name: string };

/** The placeholder that these words between the braces mean, or null. */
export function readPlaceholder(words: string): Placeholder | null {
  const text = words.trim();
  if (text === "version" || text === "step") return { kind: text };
  const match = /^(labels|args)\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(text);
  return match === null ? null : { kind: match[1] as "labels" | "args", name: match[2] ?? "" };
}

/**
 * What the placeholder stands for in this request.
 *
 * @throws TouchstoneError `invalid_query` when the version has no such label or the run no such argument.
 */
export function valueOf(placeholder: Placeholder, { metric, version, args, stepSeconds }: SourceRequest): string {
  switch (placeholder.kind) {
    case "version":
      return version.label;
    case "step":
      return `${stepSeconds}s`;
    case "labels": {
      const value = Object.entries(version.labels ?? {}).find(([name]) => name === placeholder.name)?.[1];
      if (value === undefined) {
        throw new TouchstoneError(
          "invalid_query",
          `metric ${metric.name} asks for labels.${placeholder.name}, but version ${version.label} has no label ${placeholder.name}`,
        );
      }
      return value;
    }
    case "args": {
      const value = Object.entries(args).find(([name]) => name === placeholder.name)?.[1];
      if (value === undefined)
        throw new TouchstoneError(
          "invalid_query",
          `metric ${metric.name} asks for args.${placeholder.name}, which the run does not give`,
        );
      return value;
    }
  }
}

const BRACES = /\{\{([^{}]*)\}\}/g;

/** Fills plain text, which nobody parses afterwards, for example a cell to compare with. */
export function fillText(text: string, request: SourceRequest): string {
  return text.replace(BRACES, (_, words: string) => {
    const placeholder = readPlaceholder(words);
    if (placeholder === null) throw new TouchstoneError("invalid_query", unknownPlaceholder(words));
    return valueOf(placeholder, request);
  });
}

/** Faults of the placeholders in plain text. */
export function checkText(text: string): string[] {
  return [...text.matchAll(BRACES)].flatMap(([, words = ""]) =>
    readPlaceholder(words) === null ? [unknownPlaceholder(words)] : [],
  );
}

export function unknownPlaceholder(words: string): string {
  return `{{ ${words.trim()} }} is not known; there are {{ version }}, {{ labels.name }}, {{ args.name }} and, in PromQL, {{ step }}`;
}
