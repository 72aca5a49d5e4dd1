import { KAYENTA_JUDGE_NAME } from "./judge.ts";

/** Our own judge, under a name of Kayenta's form. */
export const TOUCHSTONE_JUDGE_NAME = "Touchstone-v1.0";

/** The name under which Kayenta hands its judging over: whoever sends it wants the judge at the other end. */
const REMOTE_JUDGE_NAME = "RemoteJudge-v1.0";

/** The judges that can be named, as `GET /judges` lists them. */
export const JUDGES = [
  { name: TOUCHSTONE_JUDGE_NAME, visible: true },
  { name: KAYENTA_JUDGE_NAME, visible: true },
] as const;

/** Which judge a canary config asks for; ours where it names none. Null for a name that is not known. */
export function judgeNamed(name: string | undefined): "touchstone" | "kayenta" | null {
  switch (name) {
    case KAYENTA_JUDGE_NAME:
      return "kayenta";
    case undefined:
    case "":
    case TOUCHSTONE_JUDGE_NAME:
    case REMOTE_JUDGE_NAME:
      return "touchstone";
    default:
      return null;
  }
}
