import type { Metric } from "../model/analysis.ts";
import type { ErrorCode } from "../errors.ts";
import type { Answer } from "../model/samples.ts";
import type { Steps } from "./steps.ts";

/** What a source gave for one arm of one metric: an answer, or why there is none. */
export type ArmAnswer =
  | {
      readonly kind: "answer";
      /** What is new. */
      readonly answer: Answer;
      /** Steps that were taken in before and that the source now gives otherwise; absent where there are none. */
      readonly revised?: Steps;
    }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly detail: string }
  /** No time has passed since the last answer, so nothing was asked. */
  | { readonly kind: "unchanged" };

/** Both arms of one metric, ready to be judged. */
export interface Gathered {
  readonly metric: Metric;
  readonly baseline: ArmAnswer;
  readonly candidate: ArmAnswer;
}
