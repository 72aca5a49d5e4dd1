import { Router, type Request } from "express";
import { TouchstoneError } from "../errors.ts";
import type { RolloutListItem, RolloutView } from "../model/rollout.ts";
import type { Store } from "../store/store.ts";
import { PROJECT, sendList } from "./list.ts";
import { readQuery, RolloutListQuery, RolloutQuery, toPage } from "./parameters.ts";
import { onlyMethods } from "./problem.ts";
import { nextWeightOf, toRolloutListItem } from "./rollout-view.ts";

/** Analyses that judge one revision at once; nobody has more. */
const MOST_BESIDE = 50;

export function createRolloutRoutes({ store }: { store: Store }): Router {
  const router = Router();

  const read = async (request: Request): Promise<RolloutView> => {
    const { analysis } = readQuery(RolloutQuery, request);
    const { namespace = "", name = "", revision } = request.params as Record<string, string | undefined>;
    const place = { namespace, name, ...(revision === undefined ? {} : { revision }) };
    const { items } = isStorable(place)
      ? await store.listRollouts(PROJECT, place, { limit: MOST_BESIDE, cursor: null })
      : { items: [] };
    const known = items.map((stored) => ({ stored, item: toRolloutListItem(stored) }));
    const found = known.find(({ item }) => analysis === undefined || item.analysis.name === analysis);
    if (found === undefined) {
      const which = `${namespace}/${name}${revision === undefined ? "" : `@${revision}`}`;
      throw new TouchstoneError(
        "not_found",
        `there is no rollout ${which}${analysis === undefined ? "" : ` under the analysis ${analysis}`}`,
      );
    }
    const { item, stored } = found;
    const newest = stored.runs[0]?.run.id ?? "";
    // The report that the advice is from is long, so that it is not read with the runs.
    const report = item.state === "waiting" ? ((await store.readRun(PROJECT, newest))?.report ?? null) : null;
    return {
      ...item,
      next: report === null ? null : nextWeightOf(stored, item, report),
      alsoJudged: known
        .filter((one) => one !== found && one.item.revision === item.revision)
        .map(({ item: other }) => ({
          analysis: other.analysis.name,
          baseline: other.baseline.label,
          candidate: candidateOf(other),
        })),
    };
  };

  router
    .route("/rollouts")
    .get(async (request, response) => {
      const { limit, cursor, ...filter } = readQuery(RolloutListQuery, request);
      const listed = await store.listRollouts(PROJECT, filter, toPage({ limit, cursor }));
      sendList(request, response, { items: listed.items.map(toRolloutListItem), nextCursor: listed.nextCursor });
    })
    .all(onlyMethods("GET"));

  router
    .route("/rollouts/:namespace/:name")
    .get(async (request, response) => {
      response.json(await read(request));
    })
    .all(onlyMethods("GET"));

  router
    .route("/rollouts/:namespace/:name/:revision")
    .get(async (request, response) => {
      response.json(await read(request));
    })
    .all(onlyMethods("GET"));

  return router;
}

/** The record could not even compare with other text. */
function isStorable(place: Readonly<Record<string, string>>): boolean {
  return Object.values(place).every((text) => text.length <= 253 && /^\P{C}*$/u.test(text));
}

function candidateOf({ candidates }: RolloutListItem): string {
  return candidates.map(({ label }) => label).join(", ");
}
