import { Router } from "express";
import { TouchstoneError } from "../../errors.ts";
import { createCanaryRoutes, type CanaryDependencies } from "./canaries.ts";
import { createCatalogueRoutes } from "./catalogue.ts";
import { createMetricSetRoutes } from "./metric-sets.ts";
import { createStandaloneRoutes } from "./standalone.ts";
import { createConfigRoutes, type ConfigDependencies } from "./configs.ts";

export type KayentaRoutesDependencies = CanaryDependencies & ConfigDependencies;

/** Kayenta's API, for clients that know only it. Errors are `handleKayentaError`'s, also those from before the routes. */
export function createKayentaRoutes(dependencies: KayentaRoutesDependencies): Router {
  const router = Router();
  router.use(createConfigRoutes(dependencies));
  router.use(createCanaryRoutes(dependencies));
  router.use(createStandaloneRoutes(dependencies));
  router.use(createCatalogueRoutes(dependencies));
  router.use(createMetricSetRoutes(dependencies));
  router.use((request) => {
    throw new TouchstoneError(
      "not_found",
      `there is no ${request.method} ${request.path} among what Touchstone has of Kayenta`,
    );
  });
  return router;
}
