/**
 * The port of the doorbell: it wakes a worker sooner than its next sweep.
 *
 * A ring may be lost, late, doubled or out of order, and nothing but latency may depend on it. It carries an id and no data.
 */
export interface Doorbell {
  /** Returns at once, whatever state the bell is in: the run is stored, and a worker finds it without a bell too. */
  ring(id: string): void;
  /** Calls the handler for every ring that arrives, in this or another process. The handler must not throw. */
  onRing(handler: (id: string) => Promise<void>): void;
  /** Whether rings probably arrive now. For people: no decision depends on it. */
  health(): { readonly ok: boolean; readonly detail: string };
  /** Rings that nobody has heard yet, and the age of the oldest. Rejects, within a bounded time, when the bell does not answer. */
  backlog(): Promise<{ readonly depth: number; readonly oldestSeconds: number }>;
  /** Stops hearing, within a bounded time. */
  close(): Promise<void>;
}
