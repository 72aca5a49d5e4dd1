// Writes what is derived from the schemas: openapi.yaml, and the JSON Schemas that editors check analyses, sources and targets with.
import { mkdirSync, writeFileSync } from "node:fs";
import { toEditorSchema, toOpenApi } from "../src/api/openapi.ts";
import { AnalysisDocument } from "../src/model/analysis.ts";
import { SourcesDocument } from "../src/model/source.ts";
import { TargetsDocument } from "../src/model/target.ts";

const root = new URL("../", import.meta.url);
mkdirSync(new URL("docs/schema/", root), { recursive: true });
writeFileSync(new URL("openapi.yaml", root), toOpenApi());
writeFileSync(new URL("docs/schema/analysis.json", root), toEditorSchema(AnalysisDocument));
writeFileSync(new URL("docs/schema/sources.json", root), toEditorSchema(SourcesDocument));
writeFileSync(new URL("docs/schema/targets.json", root), toEditorSchema(TargetsDocument));
