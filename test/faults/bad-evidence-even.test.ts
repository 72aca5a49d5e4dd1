import { expect, test } from "vitest";
import { sweep } from "./sweep.ts";

test("bad evidence never promotes, never rolls back without proof and never hides a proven harm: even cases", async () => {
  expect(await sweep(0)).toEqual([]);
});
