import { Router } from "express";
import { JUDGES } from "../../kayenta/judge-name.ts";
import type { Sources } from "../../sources/source.ts";
import { onlyMethods } from "../problem.ts";

/** The account that stands for the record, which keeps configs and executions. Any other name is taken for it as well. */
const RECORD = { name: "touchstone", type: "touchstone", supportedTypes: ["OBJECT_STORE", "CONFIGURATION_STORE"] };

/** What clients choose from: the operator's Prometheus sources as accounts, and the judges. */
export function createCatalogueRoutes({ sources }: { readonly sources: Sources }): Router {
  const router = Router();
  const accounts = () =>
    [...sources].flatMap(([name, { type }]) =>
      type === "prometheus" ? [{ name, type, locations: [], recommendedLocations: [] }] : [],
    );

  router
    .route("/credentials")
    .get((_request, response) => {
      const stores = accounts().map((account) => ({ ...account, supportedTypes: ["METRICS_STORE"] }));
      response.json([...stores, { ...RECORD, locations: [], recommendedLocations: [] }]);
    })
    .all(onlyMethods("GET"));

  router
    .route("/metricsServices")
    .get((_request, response) => {
      response.json(accounts());
    })
    .all(onlyMethods("GET"));

  router
    .route("/judges")
    .get((_request, response) => {
      response.json(JUDGES);
    })
    .all(onlyMethods("GET"));

  return router;
}
