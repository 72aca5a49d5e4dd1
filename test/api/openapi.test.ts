import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { toEditorSchema, toOpenApi } from "../../src/api/openapi.ts";
import { AnalysisDocument } from "../../src/model/analysis.ts";
import { ENGINE } from "../../src/model/engine.ts";
import { SourcesDocument } from "../../src/model/source.ts";
import { TargetsDocument } from "../../src/model/target.ts";
import { ERRORS } from "../../src/errors.ts";

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

test("openapi.yaml and the editor schemas are what the code says; npm run openapi writes them", async () => {
  expect(await read("openapi.yaml")).toBe(toOpenApi());
  expect(await read("docs/schema/analysis.json")).toBe(toEditorSchema(AnalysisDocument));
  expect(await read("docs/schema/sources.json")).toBe(toEditorSchema(SourcesDocument));
  expect(await read("docs/schema/targets.json")).toBe(toEditorSchema(TargetsDocument));
});

test("every reference of the contract leads somewhere, and every problem code is listed", async () => {
  const document = parse(await read("openapi.yaml"));
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref ?? "");
  expect(refs.length).toBeGreaterThan(50);
  for (const ref of new Set(refs)) {
    expect(ref).toMatch(/^#\/components\/schemas\//);
    expect(Object.keys(document.components.schemas)).toContain(ref.split("/").at(-1));
  }
  for (const [name, schema] of Object.entries(document.components.schemas))
    expect(schema, name).not.toEqual({ $ref: `#/components/schemas/${name}` });
  expect(document.components.schemas.Problem.properties.code.enum).toEqual(Object.keys(ERRORS));
});

test("the engine is the version of the package", async () => {
  expect(ENGINE).toBe(`touchstone ${JSON.parse(await read("package.json")).version}`);
});
