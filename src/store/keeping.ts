/** What keeps the record from growing for ever. */
export interface KeepingStore {
  /**
   * Deletes the runs that ended longest ago and have nothing left to be told, with their looks, evidence and idempotency keys; what their attempts spent of their error budgets stays. Live runs never.
   *
   * @param endedBeforeSeconds  how long ago a run must have ended.
   * @param limit  of runs in one transaction.
   * @returns null when another process is at it.
   */
  deleteEndedRuns(endedBeforeSeconds: number, limit: number): Promise<DeletedRuns | null>;
  /**
   * Deletes idempotency keys of this age that belong to no stored run, and what became of slots of schedules that long ago.
   *
   * @param limit  of keys, and of slots, in one transaction.
   * @returns how many keys or slots, whichever were more: below the limit nothing is left. Null when another process is at it.
   */
  deleteOldKeys(olderThanSeconds: number, limit: number): Promise<number | null>;
  measure(): Promise<RecordSize>;
}

export interface DeletedRuns {
  readonly runs: number;
  /** Of their content, as `RecordSize` counts it. */
  readonly contentBytes: number;
}

export interface RecordSize {
  /** Reports, states and evidence as they are stored: what retention can free. Estimated from a part of the rows where there are very many. */
  readonly contentBytes: number;
  /** Tables and indexes with their free space, which does not shrink but is used again. */
  readonly diskBytes: number;
}
