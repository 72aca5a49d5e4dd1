import { TouchstoneError } from "../errors.ts";
import { toIssues } from "./issues.ts";
import { toPath } from "./read-analysis.ts";
import { readYaml } from "./read-yaml.ts";
import { Schedule } from "./schedule.ts";

/**
 * A schedule from YAML or JSON text.
 *
 * @param origin  named in the message, for example the path of the file.
 * @throws TouchstoneError `invalid_request` with every fault, its JSON pointer and, in the detail, its line.
 */
export function readSchedule(text: string, origin: string): Schedule {
  const { value, lineOf } = readYaml(text, origin, "invalid_request");
  const parsed = Schedule.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = toIssues(parsed.error).map(({ pointer, detail }) => ({
    pointer,
    detail: `${detail}${lineOf(pointer)}`,
  }));
  const list = issues.map(({ pointer, detail }) => `  ${toPath(pointer)} ${detail}`).join("\n");
  throw new TouchstoneError("invalid_request", `${origin} is not a valid schedule:\n${list}`, { issues });
}
