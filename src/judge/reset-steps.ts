import type { ArmAnswer } from "./gathered.ts";
import { stepsWhere, TOUCH } from "./steps.ts";

/**
 * Both answers without the steps in which a counter of either arm was reset. What an arm counted in such a step is lost; with the step of the other arm kept, a minute
 * that was bad for both would count against that one alone.
 */
export function withoutResets(
  baseline: ArmAnswer,
  candidate: ArmAnswer,
): { readonly baseline: ArmAnswer; readonly candidate: ArmAnswer } {
  return { baseline: without(baseline, resetsOf(candidate)), candidate: without(candidate, resetsOf(baseline)) };
}

const NONE = new Float64Array(0);

function resetsOf(arm: ArmAnswer): Float64Array {
  return arm.kind === "answer" ? (arm.answer.resets ?? NONE) : NONE;
}

function without(arm: ArmAnswer, resets: Float64Array): ArmAnswer {
  if (arm.kind !== "answer" || resets.length === 0) return arm;
  const { samples } = arm.answer;
  if (samples.shape === "samples" || samples.stepSeconds === 0) return arm;
  const isReset = (at: number) => resets.some((step) => Math.abs(step - at) <= TOUCH);
  return { ...arm, answer: { ...arm.answer, samples: stepsWhere(samples, (at) => !isReset(at)) } };
}
