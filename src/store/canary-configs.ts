import type { CanaryConfig } from "../model/canary.ts";
import type { Instant } from "../model/time.ts";

/** Canary configs that Kayenta's clients keep here. */
export interface CanaryConfigStore {
  /**
   * Stores a new config, or one in the place of what `id` names.
   *
   * @param id     of the config that is replaced; null for a new one.
   * @param build  makes the document, with its id, name and applications, from the time of the transaction.
   * @throws TouchstoneError `conflict` when a new id is taken, an old one is not there, or another config of one of its applications has the name.
   */
  putCanaryConfig(
    project: string,
    id: string | null,
    build: (now: Instant) => StoredCanaryConfig,
    actor: string,
  ): Promise<StoredCanaryConfig>;
  readCanaryConfig(project: string, id: string): Promise<StoredCanaryConfig | null>;
  /** All of them, the oldest first; of any of these applications, or of every one where none is named. */
  listCanaryConfigs(project: string, applications: readonly string[]): Promise<StoredCanaryConfig[]>;
  /** @returns false when there is none. */
  deleteCanaryConfig(project: string, id: string, actor: string): Promise<boolean>;
}

export type StoredCanaryConfig = CanaryConfig & { readonly id: string; readonly name: string };
