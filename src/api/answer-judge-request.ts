import { isTouchstoneError, TouchstoneError } from "../errors.ts";
import { judgeCanary } from "../kayenta/judge-request.ts";
import { toPath } from "../model/read-analysis.ts";
import type { JudgeAnswer } from "./judge-threads.ts";
import { toKayentaError } from "./kayenta/problem.ts";
import { decodeText, parseLongJson } from "./parse-json.ts";

/** From the bytes of a `POST /judge` to those of its answer; what is wrong with the request is answered, not thrown. */
export function answerJudgeRequest(body: Uint8Array): JudgeAnswer {
  try {
    const judged = judgeCanary(parseLongJson(decodeText(body)));
    if ("result" in judged) return { status: 200, body: JSON.stringify(judged.result) };
    const message = judged.issues.map(({ pointer, detail }) => `${toPath(pointer)} ${detail}`).join("; ");
    throw new TouchstoneError("invalid_request", message, { issues: judged.issues });
  } catch (error) {
    if (!isTouchstoneError(error)) throw error;
    const { status, view } = toKayentaError(error);
    return { status, body: JSON.stringify(view) };
  }
}
