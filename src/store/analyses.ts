import type { AnalysisDocument } from "../model/analysis.ts";
import type { Listed, Page } from "./listed.ts";
import type { Idempotency } from "./runs.ts";

/** Definitions of analyses. */
export interface AnalysisStore {
  putAnalysis(project: string, analysis: StoredAnalysis, idempotency: Idempotency | null, actor: string): Promise<void>;
  readAnalysis(project: string, name: string): Promise<StoredAnalysis | null>;
  listAnalyses(project: string, page: Page): Promise<Listed<StoredAnalysis>>;
  /** @returns false when there is none. @throws TouchstoneError `conflict` when it comes from a file. */
  deleteAnalysis(project: string, name: string, actor: string): Promise<boolean>;
  /** The analyses that come from files become exactly these. */
  replaceFileAnalyses(project: string, analyses: readonly StoredAnalysis[]): Promise<void>;
}

export interface StoredAnalysis {
  readonly name: string;
  readonly origin: "file" | "api";
  readonly document: AnalysisDocument;
  readonly digest: string;
}
