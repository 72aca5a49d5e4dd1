import { z } from "zod";

const text = z.string().min(1).max(20_000);
const column = z.string().min(1).max(256);

/**
 * What a metric asks of its source. One object for every source type, so that a misspelt or misplaced key is named;
 * exactly one of the forms in `QUERY_FORMS` must be filled.
 */
export const Query = z
  .strictObject({
    sql: text
      .optional()
      .describe(
        "Postgres: one statement that selects value (and unit, at, stratum, instrument, gold, covariate, traceUrl), or events and exposure (and at), or buckets of a histogram: le, count and at, or bucket, schema, count and at.",
      ),
    histogram: text.optional().describe("Prometheus: raw classic bucket counters summed by le, not a rate."),
    series: text.optional().describe("Prometheus: an expression with one value per step."),
    instant: text.optional().describe("Prometheus: an expression evaluated once, at the end of the window."),
    events: text
      .optional()
      .describe("Prometheus: a raw counter of bad events. File: the column that holds their number."),
    exposure: text
      .optional()
      .describe("Prometheus: a raw counter of all events. File: the column that holds their number."),
    value: column.optional().describe("File: the column that holds the value."),
    unit: column.optional().describe("File: the column that names the unit (session, user, task) a row belongs to."),
    at: column.optional().describe("File: the column that holds the time of a row."),
    stratum: column.optional().describe("File: the column that names the stratum of a row."),
    instrument: column
      .optional()
      .describe("File: the column that names what measured the value, for example the judge model and its prompt."),
    gold: column
      .optional()
      .describe("File: the column that holds a person's score of the same row, empty where nobody gave one."),
    covariate: column
      .optional()
      .describe(
        "File: the column that holds a number known before the unit met a version, for example its earlier mean.",
      ),
    traceUrl: column.optional().describe("File: the column that holds a link to the trace of a row."),
    where: z
      .record(column, z.string().max(1024))
      .optional()
      .describe(
        "File: only rows whose columns hold these texts; {{ version }}, {{ labels.x }} and {{ args.x }} are filled in.",
      ),
  })
  .superRefine((query, context) => {
    const fault = formFault(query);
    if (fault !== null) context.addIssue({ code: "custom", message: fault });
  })
  .meta({ id: "Query" });
export type Query = z.infer<typeof Query>;

export type QueryForm = "sql" | "histogram" | "series" | "instant" | "counts" | "value";

/** The key that each form needs, and those that may stand beside it. */
const QUERY_FORMS: Readonly<Record<QueryForm, { needs: readonly (keyof Query)[]; allows: readonly (keyof Query)[] }>> =
  {
    sql: { needs: ["sql"], allows: [] },
    histogram: { needs: ["histogram"], allows: [] },
    series: { needs: ["series"], allows: [] },
    instant: { needs: ["instant"], allows: [] },
    counts: { needs: ["events", "exposure"], allows: ["at", "unit", "stratum", "where"] },
    value: {
      needs: ["value"],
      allows: ["unit", "at", "stratum", "instrument", "gold", "covariate", "traceUrl", "where"],
    },
  };

/** @throws RangeError when the query did not pass its schema. */
export function queryForm(query: Query): QueryForm {
  if (query.events !== undefined || query.exposure !== undefined) return "counts";
  for (const form of ["sql", "histogram", "series", "instant", "value"] as const) {
    if (query[form] !== undefined) return form;
  }
  throw new RangeError("the query has no form");
}

function formFault(query: Query): string | null {
  const given = (Object.keys(query) as (keyof Query)[]).filter((key) => query[key] !== undefined);
  const forms = (Object.keys(QUERY_FORMS) as QueryForm[]).filter((form) =>
    QUERY_FORMS[form].needs.some((key) => given.includes(key)),
  );
  const [form, ...others] = forms;
  if (form === undefined)
    return "needs sql (Postgres), histogram, series, instant or events and exposure (Prometheus), or value or events and exposure (file)";
  if (others.length > 0) return `asks for ${forms.join(" and ")} at once; give one`;
  const { needs, allows } = QUERY_FORMS[form];
  const missing = needs.find((key) => !given.includes(key));
  if (missing !== undefined) return `holds ${given.join(", ")} but lacks ${missing}`;
  const odd = given.find((key) => !needs.includes(key) && !allows.includes(key));
  return odd === undefined ? null : `holds ${odd}, which does not go with ${needs.join(" and ")}`;
}
