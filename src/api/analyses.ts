import { Router, type Request } from "express";
import { z } from "zod";
import { TouchstoneError, type Issue } from "../errors.ts";
import { Analysis, AnalysisDocument, analysisDigest } from "../model/analysis.ts";
import { Name } from "../model/name.ts";
import { checkAnalysis, invalidAnalysis, readAnalysis, type ReadAnalysis } from "../model/read-analysis.ts";
import type { Sources } from "../sources/source.ts";
import { runnableIssues } from "../start-run.ts";
import type { Store } from "../store/store.ts";
import type { StoredAnalysis } from "../store/analyses.ts";
import { actorOf } from "./authenticate.ts";
import { isYaml, readJson, readText } from "./body.ts";
import { PROJECT, sendList } from "./list.ts";
import { PageQuery, readIdempotency, readQuery, toPage } from "./parameters.ts";
import { onlyMethods } from "./problem.ts";

const IssueView = z.object({ pointer: z.string(), detail: z.string() });

/** An analysis as read back: as it was written, what is in force, and whether it can run with the sources of this server. */
export const AnalysisView = z
  .object({
    name: Name,
    origin: z.enum(["file", "api"]).describe("file: kept by the operator, not changed over HTTP."),
    digest: z.string(),
    runnable: z.boolean(),
    issues: z.array(IssueView).describe("Why it is not runnable."),
    document: AnalysisDocument,
    inForce: Analysis,
  })
  .meta({ id: "AnalysisView" });

export const AnalysisListItem = AnalysisView.pick({
  name: true,
  origin: true,
  digest: true,
  runnable: true,
  issues: true,
}).meta({ id: "AnalysisListItem" });

export const ValidationView = z
  .object({
    valid: z.literal(true),
    digest: z.string(),
    runnable: z.boolean(),
    issues: z.array(IssueView),
    inForce: Analysis,
  })
  .meta({ id: "Validation" });

export function createAnalysisRoutes({ store, sources }: { store: Store; sources: Sources }): Router {
  const router = Router();

  router
    .route("/analyses")
    .get(async (request, response) => {
      const { items, nextCursor } = await store.listAnalyses(PROJECT, toPage(readQuery(PageQuery, request)));
      sendList(request, response, {
        items: items.map((stored) => AnalysisListItem.parse(toView(stored, sources))),
        nextCursor,
      });
    })
    .all(onlyMethods("GET"));

  router
    .route("/analyses/validate")
    .post((request, response) => {
      const { analysis } = readBody(request);
      const issues = runnableIssues(analysis, sources);
      response.json({
        valid: true,
        digest: analysisDigest(analysis),
        runnable: issues.length === 0,
        issues,
        inForce: analysis,
      });
    })
    .all(onlyMethods("POST"));

  router
    .route("/analyses/:name")
    .get(async (request, response) => {
      response.json(toView(await find(store, request), sources));
    })
    .put(async (request, response) => {
      const name = request.params.name;
      const { document, analysis } = readBody(request);
      if (analysis.name !== name) {
        const issues: Issue[] = [
          { pointer: "/metadata/name", detail: `is ${analysis.name}, but the path says ${name}` },
        ];
        throw new TouchstoneError("invalid_analysis", `metadata.name is ${analysis.name}, but the path says ${name}`, {
          issues,
        });
      }
      const stored: StoredAnalysis = { name, origin: "api", document, digest: analysisDigest(analysis) };
      const idempotency = readIdempotency(request, `PUT /v1/analyses/${name}`, document);
      await store.putAnalysis(PROJECT, stored, idempotency, actorOf(response));
      response.json(toView(stored, sources));
    })
    .delete(async (request, response) => {
      const name = request.params.name;
      if (!Name.safeParse(name).success || !(await store.deleteAnalysis(PROJECT, name, actorOf(response))))
        throw new TouchstoneError("not_found", `there is no analysis named ${name}`);
      response.status(204).end();
    })
    .all(onlyMethods("GET", "PUT", "DELETE"));

  return router;
}

async function find(store: Store, request: Request): Promise<StoredAnalysis> {
  const name = String(request.params["name"]);
  const stored = Name.safeParse(name).success ? await store.readAnalysis(PROJECT, name) : null;
  if (stored === null) throw new TouchstoneError("not_found", `there is no analysis named ${name}`);
  return stored;
}

/** YAML as it stands in a file, or the same as JSON. */
function readBody(request: Request): ReadAnalysis {
  if (isYaml(request)) return readAnalysis(readText(request), "the body");
  const checked = checkAnalysis(readJson(request));
  if ("issues" in checked) throw invalidAnalysis("the body", checked.issues);
  return checked;
}

function toView({ name, origin, document, digest }: StoredAnalysis, sources: Sources): z.infer<typeof AnalysisView> {
  const checked = checkAnalysis(document);
  if ("issues" in checked) throw invalidAnalysis(`the stored analysis ${name}`, checked.issues);
  const issues = runnableIssues(checked.analysis, sources);
  return { name, origin, digest, runnable: issues.length === 0, issues, document, inForce: checked.analysis };
}
