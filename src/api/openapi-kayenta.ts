/** The routes that Kayenta's clients call. Their errors are Kayenta's: a message. */
export function kayentaPaths(): Readonly<Record<string, object>> {
  return {
    "/judge": {
      post: operation(
        "judgeMetricSets",
        "Judge metric sets as Kayenta's remote judge: by Touchstone's judge, or by Kayenta's where the config names NetflixACAJudge-v1.0.",
        { body: "CanaryJudgeRequest", answer: "CanaryJudgeResult", errors: [400, 413, 503] },
      ),
    },
  };
}

interface Parts {
  readonly body?: string;
  readonly answer: string;
  readonly errors: readonly number[];
}

function operation(operationId: string, summary: string, { body, answer, errors }: Parts): object {
  const json = (id: string) => ({ "application/json": { schema: { $ref: `#/components/schemas/${id}` } } });
  const faults = errors.map((status) => [
    String(status),
    { description: FAULTS[status], content: json("KayentaError") },
  ]);
  return {
    operationId,
    tags: ["kayenta"],
    summary,
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: {
      "200": { description: "The answer.", content: json(answer) },
      ...Object.fromEntries(faults),
    },
  };
}

const FAULTS: Readonly<Record<number, string>> = {
  400: "Something in the request is not valid; the message says what",
  404: "Not found",
  413: "The body is too large",
  503: "Too much is waiting already, or the record is unavailable",
};
