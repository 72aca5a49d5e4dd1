import { Router, type Request } from "express";
import { TouchstoneError, type Issue } from "../errors.ts";
import { Name } from "../model/name.ts";
import { readSchedule } from "../model/read-schedule.ts";
import { Schedule, timingOf, type ScheduleListItem, type ScheduleView } from "../model/schedule.ts";
import { nextSlot } from "../model/slots.ts";
import type { Instant } from "../model/time.ts";
import { putSchedule } from "../schedule.ts";
import type { StartRunDependencies } from "../start-run.ts";
import type { StoredSchedule } from "../store/schedules.ts";
import { actorOf } from "./authenticate.ts";
import { isYaml, parseAs, readJson, readText } from "./body.ts";
import { PROJECT, sendList } from "./list.ts";
import { PageQuery, readIdempotency, readQuery, toPage } from "./parameters.ts";
import { onlyMethods } from "./problem.ts";

const NEXT_SLOTS = 5;
const LAST_SLOTS = 10;

export function createScheduleRoutes(dependencies: StartRunDependencies): Router {
  const { store } = dependencies;
  const router = Router();

  const find = async (request: Request): Promise<StoredSchedule> => {
    const name = String(request.params["name"]);
    const stored = Name.safeParse(name).success ? await store.readSchedule(PROJECT, name) : null;
    if (stored === null) throw new TouchstoneError("not_found", `there is no schedule named ${name}`);
    return stored;
  };

  const view = async (request: Request): Promise<ScheduleView> => {
    const stored = await find(request);
    const { items } = await store.listSlots(PROJECT, stored.schedule.name, { limit: LAST_SLOTS, cursor: null });
    return { ...toListItem(stored), nextSlots: nextSlotsOf(stored), lastSlots: [...items] };
  };

  router
    .route("/schedules")
    .get(async (request, response) => {
      const { items, nextCursor } = await store.listSchedules(PROJECT, toPage(readQuery(PageQuery, request)));
      sendList(request, response, { items: items.map(toListItem), nextCursor });
    })
    .all(onlyMethods("GET"));

  router
    .route("/schedules/:name")
    .get(async (request, response) => {
      response.json(await view(request));
    })
    .put(async (request, response) => {
      const name = request.params.name;
      const schedule = readBody(request);
      if (schedule.name !== name) {
        const issues: Issue[] = [{ pointer: "/name", detail: `is ${schedule.name}, but the path says ${name}` }];
        throw new TouchstoneError("invalid_request", `name is ${schedule.name}, but the path says ${name}`, { issues });
      }
      const idempotency = readIdempotency(request, `PUT /v1/schedules/${name}`, schedule);
      await putSchedule(dependencies, PROJECT, schedule, { idempotency, actor: actorOf(response) });
      response.json(await view(request));
    })
    .delete(async (request, response) => {
      const name = request.params.name;
      if (!Name.safeParse(name).success || !(await store.deleteSchedule(PROJECT, name, actorOf(response))))
        throw new TouchstoneError("not_found", `there is no schedule named ${name}`);
      response.status(204).end();
    })
    .all(onlyMethods("GET", "PUT", "DELETE"));

  router
    .route("/schedules/:name/slots")
    .get(async (request, response) => {
      const page = toPage(readQuery(PageQuery, request));
      const { schedule } = await find(request);
      sendList(request, response, await store.listSlots(PROJECT, schedule.name, page));
    })
    .all(onlyMethods("GET"));

  return router;
}

/** YAML as it stands in a file, or the same as JSON. */
function readBody(request: Request): Schedule {
  return isYaml(request) ? readSchedule(readText(request), "the body") : parseAs(Schedule, readJson(request));
}

function toListItem({ schedule, createdAt, updatedAt, nextAt, lastSlot }: StoredSchedule): ScheduleListItem {
  const self = `/v1/schedules/${schedule.name}`;
  return {
    name: schedule.name,
    schedule,
    createdAt,
    updatedAt,
    nextSlot: nextAt,
    lastSlot,
    links: { self, slots: `${self}/slots` },
  };
}

function nextSlotsOf({ schedule, anchorAt, nextAt }: StoredSchedule): Instant[] {
  const slots: Instant[] = [];
  const timing = timingOf(schedule, anchorAt);
  for (let slot = nextAt; slot !== null && slots.length < NEXT_SLOTS; slot = nextSlot(timing, slot)) slots.push(slot);
  return slots;
}
