import { z } from "zod";
import { ERRORS } from "../errors.ts";

interface OperationParts {
  readonly parameters?: readonly object[];
  readonly body?: Readonly<Record<string, object>>;
  readonly responses: Readonly<Record<string, object>>;
  readonly errors?: readonly number[];
  readonly security?: readonly object[];
}

/** An operation with its errors, all of them problems. */
export function operation(
  operationId: string,
  tag: string,
  summary: string,
  { parameters, body, responses, errors = [], security }: OperationParts,
): object {
  const problems = Object.fromEntries(
    errors.map((status) => [
      String(status),
      { description: titleOf(status), content: { "application/problem+json": { schema: ref("Problem") } } },
    ]),
  );
  return {
    operationId,
    tags: [tag],
    summary,
    ...(security === undefined ? {} : { security }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(Object.entries(body).map(([type, schema]) => [type, { schema }])),
          },
        }),
    responses: { ...responses, ...problems },
  };
}

export function pathPart(name: string): object {
  return { name, in: "path", required: true, schema: { type: "string" } };
}

export function ref(id: string): object {
  return { $ref: `#/components/schemas/${id}` };
}

export function json(description: string, id: string): object {
  return { description, content: { "application/json": { schema: ref(id) } } };
}

export function plain(description: string, type: string): object {
  return {
    description,
    content: { [type]: { schema: type.endsWith("json") ? { type: "object" } : { type: "string" } } },
  };
}

export function list(description: string, id: string): object {
  const schema = {
    type: "object",
    required: ["items", "nextCursor"],
    properties: { items: { type: "array", items: ref(id) }, nextCursor: { type: ["string", "null"] } },
  };
  return {
    description,
    headers: { Link: { description: "The next page, rel=next.", schema: { type: "string" } } },
    content: { "application/json": { schema } },
  };
}

function titleOf(status: number): string {
  const titles = Object.values(ERRORS).flatMap((kind) => (kind.status === status ? [kind.title] : []));
  return [...new Set(titles)].join(", or ");
}

export function queryParameters(schema: z.ZodObject): object[] {
  const { properties = {}, $defs = {} } = z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" });
  return Object.entries(properties).map(([name, property]) => {
    const own = typeof property === "object" ? property : {};
    const shared = own.$ref === undefined ? {} : $defs[own.$ref.replace("#/$defs/", "")];
    const { description, id: _, $ref: __, ...rest } = { ...shared, ...own };
    return { name, in: "query", ...(description === undefined ? {} : { description }), schema: rest };
  });
}
