import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { z } from "zod";
import { startDriver, type Driver } from "./driver.ts";

/** What we ship is valid against the CRDs that the controllers ship, and decodes strictly into their types. */

const controllers = inject("controllers");
const DEPLOY = fileURLToPath(new URL("../../../deploy", import.meta.url));

describe.skipIf(controllers === null)("manifests", async () => {
  let driver: Driver;
  beforeAll(() => {
    driver = startDriver(controllers?.program ?? "");
  });
  afterAll(() => driver.close());

  const validate = (file: string) =>
    driver.ask(z.array(z.string()), { op: "validate", file, crds: controllers?.crds ?? [] });
  const shipped = (await Promise.all(["argo", "flagger"].map(filesOf))).flat();

  test.each(shipped)("%s is valid against the schemas of the controllers", async (file) => {
    expect(await validate(join(DEPLOY, file))).toEqual([]);
  });

  test.each([
    ['jsonpath: "{$.summary}"', "unknown field spec.metrics[0].provider.web.jsonpath"],
    ["timeoutSeconds: ten", "spec.metrics[0].provider.web.timeoutSeconds in body must be of type integer"],
    ["headers: [{ name: Authorization }]", "unknown field spec.metrics[0].provider.web.headers[0].name"],
  ])("a template with %s is refused", async (field, fault) => {
    const folder = await mkdtemp(join(tmpdir(), "touchstone-manifests-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "wrong.yaml");
    const web = `{ url: "http://touchstone", ${field} }`;
    await writeFile(
      file,
      `apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: { name: wrong }
spec: { metrics: [{ name: verdict, provider: { web: ${web} } }] }
`,
    );
    expect((await validate(file)).join("\n")).toContain(fault);
  });
});

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(join(DEPLOY, folder));
  return names
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => join(folder, name));
}
