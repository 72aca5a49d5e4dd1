import type { z } from "zod";
import type { Issue } from "../errors.ts";

/** Zod's findings in our words: one issue per fault, an unknown key named by its own pointer. */
export function toIssues(error: z.ZodError): Issue[] {
  return error.issues.flatMap(toIssue);
}

function toIssue(issue: z.core.$ZodIssue): Issue[] {
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        pointer: toPointer([...issue.path, key]),
        detail: "is not a key of this object",
      }));
    case "invalid_key":
      return [{ pointer: toPointer(issue.path), detail: issue.issues[0]?.message ?? issue.message }];
    case "invalid_union": {
      // The branch that came furthest tells most; where none did, the message of the union itself.
      const branches = issue.errors.filter((errors) =>
        errors.some((inner) => inner.path.length > 0 || inner.code === "unrecognized_keys"),
      );
      const [branch] = branches;
      if (branches.length === 1 && branch !== undefined) {
        return branch.flatMap((inner) => toIssue({ ...inner, path: [...issue.path, ...inner.path] }));
      }
      return [{ pointer: toPointer(issue.path), detail: issue.message }];
    }
    case "invalid_type":
      return [
        {
          pointer: toPointer(issue.path),
          detail:
            issue.input === undefined && issue.message.includes("undefined") ? "is missing" : lower(issue.message),
        },
      ];
    default:
      return [{ pointer: toPointer(issue.path), detail: lower(issue.message) }];
  }
}

/** A JSON pointer (RFC 6901). */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function lower(message: string): string {
  return message.replace(/^Invalid input: /, "").replace(/^./, (first) => first.toLowerCase());
}
