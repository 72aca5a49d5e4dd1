export interface Page {
  readonly limit: number;
  readonly cursor: string | null;
}

export interface Listed<T> {
  readonly items: readonly T[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}
